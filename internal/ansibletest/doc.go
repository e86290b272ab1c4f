// Package ansibletest runs the Ansible collection of packaging/ansible with the distribution's ansible-playbook, and the commands of
// docs/ansible.md and docs/provisioning.md. It has nothing but tests.
package ansibletest
