"""`invoke audit.*`: one module a group of tasks; none of them loads Ansible."""
