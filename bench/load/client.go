package main

import (
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"time"

	"golang.org/x/crypto/ssh"

	"twokey/bench/site"
)

// patience is how long one login may take.
const patience = 60 * time.Second

// load lets each of these people log in so often, one login after the other, all of them at the same time, and says how long each login took.
func (s server) load(people []*site.Phone, each int, end time.Time) (took site.Sample, err error) {
	var all sync.WaitGroup
	var mu sync.Mutex
	var errs []error
	for _, who := range people {
		all.Go(func() {
			for range each {
				if time.Now().After(end) {
					return
				}
				began := time.Now()
				err := s.login(who)
				mu.Lock()
				took, errs = append(took, float64(time.Since(began))), append(errs, err)
				mu.Unlock()
			}
		})
	}
	all.Wait()
	return took, errors.Join(errs...)
}

// login is one from the connection to the end of a command.
func (s server) login(who *site.Phone) error {
	conn, err := net.DialTimeout("tcp", s.address, patience)
	if err != nil {
		return err
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		return err
	}
	over, channels, requests, err := ssh.NewClientConn(conn, s.address, &ssh.ClientConfig{
		User: who.User, Auth: []ssh.AuthMethod{ssh.KeyboardInteractive(s.answers(who))},
		HostKeyCallback: ssh.InsecureIgnoreHostKey(), // it is a server of our own, of a moment ago
	})
	if err != nil {
		return fmt.Errorf("login of %s: %w", who.User, err)
	}
	client := ssh.NewClient(over, channels, requests)
	defer client.Close()
	session, err := client.NewSession()
	if err != nil {
		return err
	}
	return session.Run("true")
}

// answers gives the password, and to any other question the next code.
func (s server) answers(who *site.Phone) ssh.KeyboardInteractiveChallenge {
	return func(_, _ string, questions []string, _ []bool) (answers []string, err error) {
		for _, q := range questions {
			answer := s.password
			if !strings.Contains(q, "assword") {
				if answer, err = who.Code(0); err != nil {
					return nil, err
				}
			}
			answers = append(answers, answer)
		}
		return answers, nil
	}
}
