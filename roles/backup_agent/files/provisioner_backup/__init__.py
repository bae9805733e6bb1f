# Copyright the provisioner authors. SPDX-License-Identifier: Apache-2.0
"""The parts of the backup agent. Python 3.11's standard library only: they run on the machine that is backed up.

`run` does one backup; `settings` says where everything is; `restic` speaks with the repository; `walk`, `look`,
`survey` and `manifest` describe what there is; `exclusions` say what is left out; `canary` makes files whose content is
known beforehand; `databases` dumps; `status` tells the truth about it, for machines and for people.
"""
