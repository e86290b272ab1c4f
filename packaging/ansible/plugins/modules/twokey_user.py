#!/usr/bin/python
# SPDX-License-Identifier: Apache-2.0
"""Users' second factors on a host."""

from __future__ import annotations

DOCUMENTATION = r'''
---
module: twokey_user
short_description: Users' second factors on a host
description:
  - Gives users the devices, phone numbers, recovery codes and requirements that they lack, takes everything away from those who leave,
    and resets those who have lost a phone. What is not given is left alone. A second time nothing is changed.
  - All users of a task are done by one C(twokey apply). Secrets go to it on standard input and never stand in a command line.
  - A user who is wrong keeps nobody else from being done; the task fails and names him. With I(all_or_nothing) nothing is done then.
options:
  name:
    description: Names of users for whom the options of the task count.
    type: list
    elements: str
    aliases: [names, user]
  users:
    description: Users with options of their own.
    type: list
    elements: dict
    suboptions:
      name: {description: The name of the user., type: str, required: true, aliases: [user]}
      state: {description: As for the task., type: str, choices: [present, absent, reset], default: present}
      phone: {description: As for the task., type: str}
      recovery_codes: {description: As for the task., type: int}
      devices: {description: As for the task., type: list, elements: dict}
      require: {description: As for the task., type: dict}
      exempt: {description: As for the task., type: dict}
  src:
    description:
      - A list of users on the host, YAML or CSV as C(twokey apply) reads it; the form for thousands of users.
      - It may have secrets in it, so it should be root's with mode C(0600), and be deleted afterwards.
    type: path
  state:
    description:
      - C(present) gives what is missing; without I(devices) one device of the usual kind to who has none.
      - C(absent) takes all devices away, and the entries of the policy that name the user. The account need not exist any more.
      - C(reset) ends all devices of who has some, so that he has to enrol at his next login. It is an act and not a state. A playbook
        that says so ends the new devices too when it is run again later.
    type: str
    choices: [present, absent, reset]
    default: present
  phone:
    description: The phone number, such as C(+442079460958), or C(none).
    type: str
  recovery_codes:
    description: So many are made for who has none. Without it, 10 with the first device where somebody gets to see them.
    type: int
  devices:
    description: What the user must have. A device that is not named is left alone; C([]) makes none.
    type: list
    elements: dict
    suboptions:
      name: {description: The name of the device., type: str, default: phone}
      state: {description: Whether it must be there., type: str, choices: [present, absent], default: present}
      method:
        description:
          - The kind of codes, or how they are sent. Of C(sms) and C(push) a user has one each, and no secret; C(sms) needs I(phone).
        type: str
        choices: [totp, hotp, sms, push]
      provider:
        description: With whom the phone of C(push) is linked. Without it, the provider of the host.
        type: str
        choices: [ntfy, duo]
      digits: {description: How many a code has., type: int}
      period: {description: "Seconds for which a code is shown, totp.", type: int}
      algorithm: {description: "SHA1, SHA256 or SHA512.", type: str}
      secret:
        description: The secret, base32. Without it, and without I(secret_file), a new one is made with a new device.
        type: str
      secret_file: {description: A file on the host with the secret., type: path}
      counter: {description: "The next counter of a new device, hotp.", type: int}
      issuer: {description: What the app shows above the code., type: str}
      label: {description: What the app shows below the code., type: str}
      until: {description: "The last day on which it is good, a moment, or C(never).", type: str}
  require:
    description: Requires the user, with the days I(by), I(starts) and I(until), each of which may be left out.
    type: dict
    suboptions:
      by: {description: The last day on which he is let in without a device., type: str}
      starts: {description: The first day on which it counts., type: str}
      until: {description: The last day on which it counts., type: str}
  exempt:
    description: Exempts the user, with the day I(until), which may be left out.
    type: dict
    suboptions:
      until: {description: The last day on which it counts., type: str}
  sheets:
    description:
      - A folder on the host in which a page to be printed is written for each new device, with its secret. It is made with mode C(0700).
      - Delete the pages when they have been handed over.
    type: path
  return_secrets:
    description:
      - Returns new secrets, recovery codes and enrolment codes. The task needs C(no_log) then, and whoever registers the result has to
        see to it that it is not printed.
      - New secrets need this or I(sheets), since somebody has to see them.
    type: bool
    default: false
  all_or_nothing:
    description: Nothing is done unless every user is right.
    type: bool
    default: false
  allow_short:
    description: Takes secrets of 80 to 127 bits, of old tokens.
    type: bool
    default: false
  limit:
    description: Changes so many users and leaves the others for the next time.
    type: int
  group:
    description: Only those of the users who are in this group.
    type: str
  config:
    description: The configuration file.
    type: path
    default: /etc/twokey/twokey.yaml
  executable:
    description: The program, a name or a path.
    type: str
    default: twokey
notes:
  - Devices that end by the task end without a question.
  - Where the configuration has C(managed_by), I(require) and I(exempt) are refused; the devices are made.
  - Supports check mode and diff mode, in which there are never secrets. Needs root.
author: the twokey authors
'''

EXAMPLES = r'''
- name: a page for each new user, in a folder of the host
  twokey.twokey.twokey_user:
    name: [alice, bob]
    sheets: /root/sheets

- name: tokens whose secrets are known, from the vault
  twokey.twokey.twokey_user:
    users:
      - name: alice
        devices:
          - {name: token, method: hotp, secret: "{{ token_of_alice }}"}
      - name: bob
        phone: "+442079460958"
        devices: []

- name: leavers
  twokey.twokey.twokey_user:
    name: [carol]
    state: absent
'''

RETURN = r'''
users:
  description: What became of each user, in check mode what would.
  returned: always
  type: list
  elements: dict
  contains:
    user: {description: The name., type: str}
    changed: {description: Whether something was changed., type: bool}
    diff: {description: "What was changed, each with field, old and new; no secrets.", type: list}
    devices: {description: New devices with their secrets, with I(return_secrets)., type: list}
    recovery_codes: {description: New recovery codes, with I(return_secrets)., type: list}
    enrolment_code: {description: The code for the next login after a reset, with I(return_secrets)., type: str}
    until: {description: How long the enrolment code is good, with I(return_secrets)., type: str}
left:
  description: How many users are left for the next time, beyond I(limit).
  returned: always
  type: int
wrong:
  description: Users who were not done, each with user, error, and where he stands in the task or the file.
  returned: when there are some
  type: list
  elements: dict
'''

import json
from typing import Any

from ansible_collections.twokey.twokey.plugins.module_utils.program import DONE, NO, Answer, Program, python_module

MAX_SECRET_FILE = 4096  # bytes

DEVICE = {
    'name': {'type': 'str', 'default': 'phone'},
    'state': {'type': 'str', 'choices': ['present', 'absent'], 'default': 'present'},
    'method': {'type': 'str', 'choices': ['totp', 'hotp', 'sms', 'push']},
    'provider': {'type': 'str', 'choices': ['ntfy', 'duo']},
    'digits': {'type': 'int'},
    'period': {'type': 'int'},
    'algorithm': {'type': 'str'},
    'secret': {'type': 'str', 'no_log': True},
    'secret_file': {'type': 'path', 'no_log': False},
    'counter': {'type': 'int'},
    'issuer': {'type': 'str'},
    'label': {'type': 'str'},
    'until': {'type': 'str'},
}

DAY = {'type': 'str'}

USER = {
    'state': {'type': 'str', 'choices': ['present', 'absent', 'reset'], 'default': 'present'},
    'phone': {'type': 'str'},
    'recovery_codes': {'type': 'int', 'no_log': False},
    'devices': {'type': 'list', 'elements': 'dict', 'options': DEVICE, 'mutually_exclusive': [('secret', 'secret_file')]},
    'require': {'type': 'dict', 'options': {'by': DAY, 'starts': DAY, 'until': DAY}},
    'exempt': {'type': 'dict', 'options': {'until': DAY}},
}

HEADER = 'version: 1\nusers:\n'  # before the first user, each of whom has one line


class Task:
    """One run of the module."""

    def __init__(self, module: Any) -> None:
        self.module = module
        self.program = Program(module)
        p = module.params
        self.users = p['users'] or [{**{key: p[key] for key in USER}, 'name': name} for name in p['name'] or []]
        self.listed = [u for u in self.users if u['state'] != 'reset']
        self.result: dict[str, Any] = {'changed': False, 'users': [], 'left': 0}
        self.wrong: list[dict[str, Any]] = []
        self.problems: list[str] = []
        self.diff: list[str] = []

    def run(self) -> None:
        resets = self.to_reset()
        if self.problems and self.module.params['all_or_nothing']:
            self.end()
        if self.module.params['src']:
            self.apply(self.module.params['src'], None)
        elif self.listed:
            self.apply('-', HEADER + ''.join('- %s\n' % json.dumps(self.row(u), ensure_ascii=False) for u in self.listed))
        self.reset(resets)
        self.end()

    def to_reset(self) -> dict[str, bool]:
        """Those who are to be reset, and whether they have a device: who has been reset has none, and is left alone."""
        found = {}
        for user in self.users:
            if user['state'] != 'reset':
                continue
            answer = self.program.run('show', '--json', '--', user['name'])
            if answer.status == DONE:
                found[user['name']] = answer.data['enrolled']
            else:
                self.wrong.append({'user': user['name'], 'error': answer.reason()})
                self.problems.append(answer.reason())
        return found

    def row(self, user: dict[str, Any]) -> dict[str, Any]:
        """A user as twokey apply reads him."""
        row = given(user, 'phone', 'recovery_codes')
        for key in ('require', 'exempt'):
            if user[key] is not None:
                row[key] = given(user[key], *user[key])
        if user['devices'] is not None:
            row['devices'] = [self.device(d) for d in user['devices']]
        if user['state'] == 'absent':
            if row:
                self.module.fail_json(msg='%s: state is absent, so nothing else can be given' % user['name'])
            row['present'] = 'false'
        return {'user': user['name'], **row}

    def device(self, d: dict[str, Any]) -> dict[str, Any]:
        row = given(d, *(key for key in DEVICE if key not in ('state', 'secret_file')))
        if d['secret_file']:
            row['secret'] = self.secret_in(d['secret_file'])
        if d['state'] == 'absent':
            row['present'] = 'false'
        return row

    def secret_in(self, path: str) -> str:
        try:
            with open(path, encoding='ascii') as file:
                secret = file.read(MAX_SECRET_FILE).strip()
        except (OSError, UnicodeError) as error:
            self.module.fail_json(msg='secret_file: %s' % (error.strerror if isinstance(error, OSError) else 'not text') + ': ' + path)
            raise
        if not secret:
            self.module.fail_json(msg='secret_file: %s is empty' % path)
        self.module.no_log_values.add(secret)
        return secret

    def apply(self, source: str, stdin: str | None) -> None:
        p = self.module.params
        flags = ['apply', '--json', '--yes', '--file=' + source]
        for key in ('all_or_nothing', 'allow_short'):
            flags += ['--' + key.replace('_', '-')] * p[key]
        for key in ('limit', 'group', 'sheets'):
            flags += ['--%s=%s' % (key, p[key])] if p[key] is not None else []
        flags += ['--check'] * self.module.check_mode + ['--show-secrets'] * p['return_secrets']
        answer = self.program.run(*flags, stdin=stdin)
        if answer.data is None:
            self.module.fail_json(msg=self.without_flags(answer))
        self.warn(answer.warnings)
        self.take(answer)

    def without_flags(self, answer: Answer) -> str:
        """The reason in the words of the module, where the program speaks of flags and of the list that it was given."""
        reason = without_options(answer.reason())
        for number, user in enumerate(self.users):
            reason = reason.replace('standard input:%d: ' % self.line(number), 'users[%d]: ' % number)
        return reason

    def line(self, number: int) -> int:
        """The line of a user in the list, from 1; 0: he is not in it."""
        user = self.users[number]
        return 0 if user['state'] == 'reset' else HEADER.count('\n') + 1 + [id(u) for u in self.listed].index(id(user))

    def take(self, answer: Answer) -> None:
        """Takes over what was done, and what was not. Of what the program says only what is named here gets out."""
        keys = ['user', 'changed', 'diff'] + ['devices', 'recovery_codes'] * self.module.params['return_secrets']
        made = {user['user']: user for user in answer.data.get('secrets', [])}
        for user in answer.data['users']:
            self.add({**(made.get(user['user'], {}) if user['changed'] else {}), **user}, keys)
        self.result['changed'] |= answer.data['changed']
        self.result['left'] = answer.data.get('left', 0)
        if answer.data.get('policy'):
            self.diff.append(answer.data['policy']['diff'])
        for wrong in answer.data['wrong']:
            self.not_done(wrong)
        if answer.data['wrong']:
            self.problems[-1] += ''.join(' (%s)' % without_options(hint) for hint in answer.hints)
        if answer.status not in (DONE, NO) and not self.problems:
            self.problems.append(answer.reason())

    def add(self, user: dict[str, Any], keys: list[str]) -> None:
        self.result['users'].append({key: user[key] for key in keys if key in user})
        if user['changed']:
            self.diff.append(user['user'] + '\n' + ''.join(line_of(change) for change in user['diff']))

    def not_done(self, wrong: dict[str, Any]) -> None:
        p = self.module.params
        place = {'line': wrong['line']} if p['src'] else {}
        where = '%s:%d: ' % (p['src'], wrong['line']) if p['src'] and wrong['line'] else ''
        for number in range(len(self.users)):
            if wrong['line'] and self.line(number) == wrong['line']:
                place, where = {'index': number}, 'users[%d]: ' % number
        self.wrong.append({'user': wrong['user'], 'error': wrong['error'], **place})
        self.problems.append(where + (wrong['user'] and wrong['user'] + ': ') + wrong['error'])

    def reset(self, people: dict[str, bool]) -> None:
        enrolled = [name for name in people if people[name]]
        done = {}
        if enrolled and not self.module.check_mode:
            answer = self.program.run('reset', '--json', '--yes', '--', *enrolled)
            done = {user['user']: user for user in answer.data or []}
            self.problems += [answer.reason()] * (answer.status != DONE)
            self.warn(answer.warnings)
        keys = ['user', 'changed', 'diff'] + ['enrolment_code', 'until'] * self.module.params['return_secrets']
        for name in people:
            changed = name in (enrolled if self.module.check_mode else done)
            diff = [{'field': 'second_factor', 'old': 'enrolled', 'new': 'has to be enrolled'}] * changed
            self.add({**done.get(name, {}), 'user': name, 'changed': changed, 'diff': diff}, keys)
            self.result['changed'] |= changed
        if any('enrolment_code' in user for user in done.values()) and not self.module.params['return_secrets']:
            self.warn(['nobody has seen the enrolment codes: twokey enroll --code makes others'])

    def warn(self, texts: list[str]) -> None:
        for text in texts:
            self.module.warn(text)

    def end(self) -> None:
        if self.diff:
            self.result['diff'] = {'prepared': ''.join(self.diff)}
        if self.problems:
            self.module.fail_json(msg='; '.join(self.problems), wrong=self.wrong, **self.result)
        self.module.exit_json(**self.result)


def without_options(text: str) -> str:
    """A sentence of the program in the words of the module."""
    return text.replace('add --sheets DIR', 'give sheets').replace('--show-secrets', 'return_secrets')


def given(options: dict[str, Any], *keys: str) -> dict[str, Any]:
    """Those of the options that are given."""
    return {key: options[key] for key in keys if options[key] is not None}


def line_of(change: dict[str, str]) -> str:
    """A change as twokey apply --diff writes it."""
    if not change['old']:
        return '+ %(field)s: %(new)s\n' % change
    if not change['new']:
        return '- %(field)s: %(old)s\n' % change
    return '~ %(field)s: %(old)s -> %(new)s\n' % change


def main() -> None:
    one_of = [('name', 'users', 'src')]
    module = python_module(argument_spec={
        **USER,
        'name': {'type': 'list', 'elements': 'str', 'aliases': ['names', 'user']},
        'users': {'type': 'list', 'elements': 'dict', 'options': {**USER, 'name': {'type': 'str', 'required': True, 'aliases': ['user']}}},
        'src': {'type': 'path'},
        'sheets': {'type': 'path'},
        'return_secrets': {'type': 'bool', 'default': False, 'no_log': False},
        'all_or_nothing': {'type': 'bool', 'default': False},
        'allow_short': {'type': 'bool', 'default': False},
        'limit': {'type': 'int'},
        'group': {'type': 'str'},
    }, required_one_of=one_of, mutually_exclusive=one_of)
    p = module.params
    if not p['name'] and (p['state'] != 'present' or any(p[key] is not None for key in USER if key != 'state')):
        module.fail_json(msg='state, phone, recovery_codes, devices, require and exempt of the task are for name')
    if p['return_secrets'] and not module.no_log:
        module.fail_json(msg='return_secrets needs no_log: true on the task, or the secrets would stand in its output')
    Task(module).run()


if __name__ == '__main__':
    main()
