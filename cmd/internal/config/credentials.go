package config

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// credentialsVariable names the folder into which systemd puts the files of
// LoadCredential. It is set for the service alone.
const credentialsVariable = "CREDENTIALS_DIRECTORY"

// handedOver is where systemd keeps its copies of credentials.
const handedOver = "/run/credentials/"

// withCredentials stands in for the variable where it is not set: people who check
// the configuration of a service have the originals, in the folder "credentials"
// beside the configuration.
func withCredentials(env map[string]string, folder string) {
	if _, set := env[credentialsVariable]; set {
		return
	}
	path, err := filepath.Abs(filepath.Join(folder, "credentials"))
	if err != nil {
		return // without a working directory nothing relative is found anyway
	}
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		env[credentialsVariable] = path
	}
}

// notSet is the error for a variable that is not in the environment.
func notSet(name string) error {
	text := "the environment variable " + name + " is not set"
	if name == credentialsVariable {
		text += ": systemd sets it for the service; elsewhere set it to the folder of these files, or put them into a folder named credentials beside the configuration"
	}
	return errors.New(text)
}

// explainSecret says what to do about a file of a secret that cannot be read.
func explainSecret(path string, err error) error {
	if strings.HasPrefix(path, handedOver) && errors.Is(err, fs.ErrNotExist) {
		return errors.New("systemd has not handed it over: add LoadCredential=NAME:FILE to the unit (systemctl edit), and restart the service")
	}
	return explain(err)
}

// fill says how to fill the empty file of a secret. Our unit lets credentials whose
// file is missing be empty, since systemd itself would not say which one it misses.
func fill(path string) string {
	if strings.HasPrefix(path, handedOver) {
		return "write the secret to the file of that name in /etc/aictail/credentials, or to what LoadCredential names, and restart the service"
	}
	return "write the secret into it"
}
