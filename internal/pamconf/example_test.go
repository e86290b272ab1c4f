package pamconf_test

import (
	"fmt"
	"os"
	"path/filepath"

	"twokey/internal/pamconf"
)

// The recommended stack: what becomes of a right password and a wrong code.
func ExampleStack_Run() {
	root, err := os.MkdirTemp("", "pamconf-")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(root)
	folder := filepath.Join(root, "etc", "pam.d")
	content := "auth [success=1 default=ignore] pam_unix.so\n" +
		"auth requisite pam_twokey.so decoy\n" +
		"auth required pam_twokey.so after=password\n" +
		"auth required pam_permit.so\n"
	if err := os.MkdirAll(folder, 0o755); err != nil {
		panic(err)
	}
	if err := os.WriteFile(filepath.Join(folder, "sshd"), []byte(content), 0o644); err != nil {
		panic(err)
	}
	service, err := pamconf.Host{Root: root}.Read("sshd")
	if err != nil {
		panic(err)
	}
	stack := service.Stacks[pamconf.Auth]
	result, reached := stack.Run(func(line pamconf.Line) pamconf.Result {
		if line.Name() == "pam_twokey.so" {
			return pamconf.AuthErr
		}
		return pamconf.Success
	})
	for _, at := range reached {
		fmt.Println(stack[at].Number, stack[at].Text)
	}
	fmt.Println(result)
	// Output:
	// 1 auth [success=1 default=ignore] pam_unix.so
	// 3 auth required pam_twokey.so after=password
	// 4 auth required pam_permit.so
	// auth_err
}
