package policy

import "gopkg.in/yaml.v3"

// services reads {vsftpd: {ask: appended}, console: {enroll: true}}.
func (d *decoder) services(n *yaml.Node) {
	d.table(n, func(key, value *yaml.Node) {
		name := d.text(key, checkServiceKey)
		d.service(name, value)
	})
	if len(n.Content) == 0 {
		d.fail(n, "this is empty: leave it out")
	}
}

// service reads what one service has. Enrol stands beside ask: prompt only, be it written or not: a QR code and its questions need a service
// that shows texts and takes answers.
func (d *decoder) service(name string, value *yaml.Node) {
	c := &d.cfg
	way := c.WayOf(name) // nothing is configured for it yet
	var enroll *yaml.Node
	asked := false
	d.mapping(value, []field{
		{"ask", func(n *yaml.Node) {
			way, asked = Never, true
			if found, ok := ParseWay(d.word(n, wayWords[:])); ok {
				way = found
			}
		}},
		{"enroll", func(n *yaml.Node) {
			enroll = n
			if c.EnrollOn == nil {
				c.EnrollOn = map[string]bool{}
			}
			c.EnrollOn[name] = d.boolean(n)
		}},
	})
	switch {
	case !asked && enroll == nil:
		d.fail(value, "how does this service ask? ask is missing")
	case enroll != nil && way != Prompt:
		d.fail(enroll, "enroll goes with ask: prompt alone, and %s is ask: %s", name, way)
	}
	if asked {
		if c.Services == nil {
			c.Services = map[string]Way{}
		}
		c.Services[name] = way
	}
}

// checkServiceKey refuses to say how a user proves that it is he: an answer that others get past would change his devices.
func checkServiceKey(s string) string {
	if s == SelfService {
		return "how " + SelfService + " asks is fixed: leave it out"
	}
	return checkName("services", s)
}
