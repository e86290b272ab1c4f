package fakes

import (
	"crypto/x509"
	"net/http"
	"net/http/httptest"
	"testing"
)

// serve starts a server on loopback that ends with the test, which fails for what was wrong with what it got.
func (w *weather) serve(t testing.TB, name string, handler http.Handler, encrypted bool) *httptest.Server {
	server := httptest.NewUnstartedServer(handler)
	server.Config.ErrorLog = discard()
	if encrypted {
		server.StartTLS()
	} else {
		server.Start()
	}
	t.Cleanup(func() {
		close(w.closed)
		server.CloseClientConnections()
		server.Close()
		w.report(t, name)
	})
	return server
}

// rootsOf knows the certificate of a server with TLS.
func rootsOf(server *httptest.Server) *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(server.Certificate())
	return pool
}
