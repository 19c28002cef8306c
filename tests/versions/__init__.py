"""The oldest and the newest Ansible that loopdeploy runs on, on a NAS with a new and with an old Python."""
