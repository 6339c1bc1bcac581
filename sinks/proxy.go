package sinks

import (
	"errors"
	"net/http"
	"net/url"
)

// ProxyFromEnvironment is http.ProxyFromEnvironment without its errors, which quote
// the proxy's address: it may hold a password.
func ProxyFromEnvironment(r *http.Request) (*url.URL, error) {
	u, err := http.ProxyFromEnvironment(r)
	if err != nil {
		return nil, errors.New("the proxy address in HTTPS_PROXY or HTTP_PROXY is not valid: correct it in the daemon's environment")
	}
	return u, nil
}
