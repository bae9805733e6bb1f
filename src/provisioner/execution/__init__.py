"""From a plan to events: Ansible runs, contained; probes over SSH and WinRM."""
