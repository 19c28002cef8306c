"""loopdeploy deploys loop-auth and loop-api on a Synology NAS with Ansible."""
