// Package ansibletest runs the Ansible collection of packaging/ansible with the distribution's ansible-playbook, and the commands of
// docs/ansible.md, docs/provisioning.md and docs/phone.md. It has nothing but tests.
package ansibletest
