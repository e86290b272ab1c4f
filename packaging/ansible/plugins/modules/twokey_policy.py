#!/usr/bin/python
# SPDX-License-Identifier: Apache-2.0
"""Who must show a second factor, and the settings of a host."""

from __future__ import annotations

DOCUMENTATION = r'''
---
module: twokey_policy
short_description: Who must show a second factor on a host, and its settings
description:
  - Requires or exempts users and groups, takes them off both lists, or gives settings other values, by the commands
    C(twokey policy) and C(twokey config). The file's comments and order stay, and the audit log has what was changed.
  - Who is required and has no device needs an enrolment code for the next login. This module makes none, since nobody would see them;
    C(twokey enroll --code) does.
  - A configuration with C(managed_by) is written as a whole by another program, such as the role M(twokey.twokey.host) with
    C(twokey_configuration). There this module changes nothing, and fails when something would have to be changed.
options:
  state:
    description:
      - What holds for I(users), I(groups) and I(system_accounts); without any of them for everybody on I(services) or from I(from).
      - C(unset) takes the names off every entry, so that the default counts for them.
    type: str
    choices: [required, exempt, unset]
  users:
    description: Names of users.
    type: list
    elements: str
    default: []
  groups:
    description: Names of groups.
    type: list
    elements: str
    default: []
  services:
    description: PAM services on which it counts; without any, on all.
    type: list
    elements: str
    default: []
  from:
    description: Addresses, networks and names of clients for which an exemption counts. Not with C(required).
    type: list
    elements: str
    default: []
  system_accounts:
    description: Accounts with a low user id and no login shell are exempt. Not with C(required).
    type: bool
    default: false
  by:
    description:
      - The last day on which who has no device is let in, such as C(2026-12-31). With C(required) only.
      - When it is over the requirement stays, without the day.
    type: str
  starts:
    description: The first day on which it counts. With C(required) only.
    type: str
  until:
    description:
      - The last day on which it counts.
      - When it is over the task does nothing but warn.
    type: str
  allow_missing:
    description: Takes names as well that the host does not know.
    type: bool
    default: false
  settings:
    description:
      - Settings and their values, as C(twokey config get) lists them; one below another with a dot, such as C(enroll.at_login).
      - Lists and tables are written as such. An empty value takes the setting out, so that its default counts.
      - Texts that are also words of YAML need quotation marks, such as C("yes").
      - When one of them is wrong none is written. Each has to be right beside what the file has already, so what belongs together is
        written as one table, such as I(sms) with its I(provider).
    type: dict
  config:
    description: The configuration file.
    type: path
    default: /etc/twokey/twokey.yaml
  executable:
    description: The program, a name or a path.
    type: str
    default: twokey
notes:
  - What lets somebody in with less than before is done without a question.
  - Supports check mode and diff mode. Needs root.
author: the twokey authors
'''

EXAMPLES = r'''
- name: staff must have a second factor from New Year on
  twokey.twokey.twokey_policy:
    state: required
    groups: [staff]
    by: "2026-12-31"

- name: the backup logs in from one host without
  twokey.twokey.twokey_policy:
    state: exempt
    users: [backup]
    services: [sshd]
    from: [192.0.2.10]

- name: settings
  twokey.twokey.twokey_policy:
    settings:
      contact: the IT desk, +44 20 7946 0958
      enroll.at_login: with-code
      methods: [totp, recovery]
      discrepancy:
'''

RETURN = r'''
diff:
  description: What was, or in check mode would be, changed in the configuration file; it has no secrets.
  returned: when something is changed
  type: list
  elements: dict
'''

import datetime
import json
from typing import Any

from ansible_collections.twokey.twokey.plugins.module_utils.program import DONE, Answer, Program, python_module

VERBS = {'required': 'require', 'exempt': 'exempt', 'unset': 'unset'}


def is_over(day: str) -> bool:
    """Whether a day has passed on this host. What is no day the program refuses."""
    try:
        return datetime.date.fromisoformat(day) < datetime.date.today()
    except ValueError:
        return False


def command_of(p: dict[str, Any]) -> list[str]:
    """The command that makes an entry, or takes it off."""
    flags = []
    for name in ('by', 'starts', 'until'):
        if p[name] and not (name == 'by' and is_over(p[name])):
            flags.append('--%s=%s' % (name, p[name]))
    for name, flag in (('groups', 'group'), ('services', 'service'), ('from', 'from')):
        flags += ['--%s=%s' % (flag, value) for value in p[name]]
    flags += ['--system-accounts'] * p['system_accounts'] + ['--allow-missing'] * p['allow_missing']
    flags += ['--no-codes'] * (p['state'] == 'required')
    return ['policy', VERBS[p['state']], *flags, '--', *p['users']]


def command_of_setting(key: str, value: Any) -> list[str]:
    """The command that gives a setting a value, or its default."""
    if value is None:
        return ['config', 'set', '--default', '--', key]
    return ['config', 'set', '--', key, value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)]


def with_flags(command: list[str], *flags: str) -> list[str]:
    """The command with flags before its first argument, behind which nothing is a flag."""
    at = command.index('--')
    return command[:at] + list(flags) + command[at:]


class Edits:
    """The changes of one task."""

    def __init__(self, module: Any) -> None:
        self.module = module
        self.program = Program(module)
        self.diffs: list[dict[str, str]] = []
        self.warnings: list[str] = []

    def make(self, commands: list[list[str]]) -> None:
        """Looks what each command would change, and does them unless in check mode. When one is wrong nothing is done."""
        looked = [(command, self.ask(with_flags(command, '--json', '--dry-run'))) for command in commands]
        if any(answer.data['changed'] for _, answer in looked):
            self.refuse_managed()
        for command, answer in looked:
            if answer.data['changed'] and not self.module.check_mode:
                answer = self.ask(with_flags(command, '--json', '--yes'))
            if answer.data['changed']:
                self.diffs.append({'prepared': answer.data['diff']})
            self.warnings += answer.warnings

    def ask(self, command: list[str]) -> Answer:
        answer = self.program.run(*command)
        if answer.status != DONE:
            part = 'only in part, as the difference shows: ' if self.diffs else ''
            self.module.fail_json(msg=part + answer.reason(), changed=bool(self.diffs), diff=self.diffs)
        return answer

    def refuse_managed(self) -> None:
        """Fails where the file is another program's: what is edited here would be gone with its next run."""
        manager = self.program.ask('config', 'get', 'managed_by', '--json').data['value']
        if manager:
            self.module.fail_json(msg='%s is written as a whole by %s (managed_by); nothing was changed. Make the change there, such as in '
                                  'twokey_configuration of the role twokey.twokey.host' % (self.module.params['config'], manager))


def main() -> None:
    module = python_module(argument_spec={
        'state': {'type': 'str', 'choices': list(VERBS)},
        'users': {'type': 'list', 'elements': 'str', 'default': []},
        'groups': {'type': 'list', 'elements': 'str', 'default': []},
        'services': {'type': 'list', 'elements': 'str', 'default': []},
        'from': {'type': 'list', 'elements': 'str', 'default': []},
        'system_accounts': {'type': 'bool', 'default': False},
        'by': {'type': 'str'},
        'starts': {'type': 'str'},
        'until': {'type': 'str'},
        'allow_missing': {'type': 'bool', 'default': False},
        'settings': {'type': 'dict'},
    }, required_one_of=[('state', 'settings')], mutually_exclusive=[('state', 'settings')])
    p = module.params
    edits = Edits(module)
    if p['state'] and p['until'] and is_over(p['until']):
        edits.warnings.append('until: %s is over, so nothing was done: the task can go' % p['until'])
    elif p['state']:
        edits.make([command_of(p)])
    settings = {str(key): value for key, value in (p['settings'] or {}).items()}
    # Behind managed_by nothing could be written any more.
    edits.make([command_of_setting(key, settings[key]) for key in sorted(settings, key=lambda key: key == 'managed_by')])
    for warning in edits.warnings:
        module.warn(warning)
    module.exit_json(changed=bool(edits.diffs), diff=edits.diffs)


if __name__ == '__main__':
    main()
