# SPDX-License-Identifier: Apache-2.0
"""The program twokey on the host, as the modules ask it: with --json, and with secrets on standard input alone."""

from __future__ import annotations

import json
import os
from typing import Any

from ansible.module_utils.basic import AnsibleModule

DONE, FAILED, USAGE, NO = 0, 1, 2, 3  # exit statuses

# What both modules take.
COMMON: dict[str, Any] = {
    'config': {'type': 'path', 'default': '/etc/twokey/twokey.yaml'},
    'executable': {'type': 'str', 'default': 'twokey'},
}


class Answer:
    """What the program has answered."""

    def __init__(self, status: int, output: str, told: str) -> None:
        self.status = status
        self.data: Any = json.loads(output) if output.strip() else None
        self.errors: list[str] = []
        self.hints: list[str] = []
        self.warnings: list[str] = []
        for line in told.splitlines():
            word, _, text = line.removeprefix('twokey: ').partition(': ')
            {'hint': self.hints, 'warning': self.warnings}.get(word, self.errors).append(text or line)

    def reason(self) -> str:
        """Why it was not done, and what to do next."""
        text = '; '.join(self.errors) or 'twokey ended with status %d' % self.status
        return text + ''.join(' (%s)' % hint for hint in self.hints)


class Program:
    """The program, with the configuration that is meant."""

    def __init__(self, module: AnsibleModule) -> None:
        self.module = module
        self.path = module.get_bin_path(module.params['executable'], required=not module.check_mode)
        # In check mode the tasks before may only have told that they would set the host up.
        if module.check_mode and not (self.path and os.path.exists(module.params['config'])):
            module.warn('twokey is not set up on this host yet: what would be changed cannot be told')
            module.exit_json(changed=True, users=[], left=0)

    def run(self, *arguments: str, stdin: str | None = None) -> Answer:
        """Runs it, whatever comes of it."""
        command = [self.path, '--config', self.module.params['config'], *arguments]
        status, output, told = self.module.run_command(command, data=stdin, environ_update={'LC_ALL': 'C.UTF-8'})
        try:
            return Answer(status, output, told)
        except ValueError:
            self.module.fail_json(msg='%s printed something else than JSON' % self.path, rc=status)
            raise

    def ask(self, *arguments: str) -> Answer:
        """Runs it and fails unless it was done."""
        answer = self.run(*arguments)
        if answer.status != DONE:
            self.module.fail_json(msg=answer.reason(), rc=answer.status)
        return answer


def python_module(**arguments: Any) -> AnsibleModule:
    """A module with what both take."""
    arguments['argument_spec'] = {**arguments['argument_spec'], **COMMON}
    return AnsibleModule(supports_check_mode=True, **arguments)
