package doctor

import (
	"slices"
	"strings"

	"twokey/internal/safefile"
)

// usualHelper is what the Makefile builds into the module.
const usualHelper = "/usr/libexec/twokey/twokey-verify"

// programs: the module and the helper that the stacks name. Where none does there is nothing to run.
func (e *examination) programs() {
	all, err := e.pam.Services()
	if err != nil {
		return // told of the services
	}
	var modules, helpers []string
	for _, name := range all {
		s, err := e.pam.Read(name)
		if err != nil || isBackup(name) {
			continue
		}
		for _, line := range everyLine(s) {
			if isOurs(line) {
				modules = append(modules, line.Module)
				helpers = append(helpers, helperOf(line.Args))
			}
		}
	}
	const install = "install twokey again"
	for _, path := range unique(modules) {
		if strings.HasPrefix(path, "/") {
			e.program("module-unusable", "the module", path, install)
			continue
		}
		if folder := e.moduleFolder(); folder != "" {
			e.program("module-unusable", "the module", folder+"/"+path, install)
		}
	}
	for _, path := range unique(helpers) {
		e.program("helper-unusable", "the login helper", path, install)
	}
}

func unique(all []string) []string {
	slices.Sort(all)
	return slices.Compact(all)
}

func helperOf(args []string) string {
	for _, arg := range args {
		if path, ok := strings.CutPrefix(arg, "helper="); ok {
			return path
		}
	}
	return usualHelper
}

// moduleFolder is where libpam looks for modules: the folder that has those of libpam itself. "" when there is none.
func (e *examination) moduleFolder() string {
	for _, lib := range []string{"/usr/lib", "/usr/lib64", "/lib", "/lib64"} {
		candidates := []string{lib + "/security"}
		if dir, err := safefile.OpenDir(e.Root + lib); err == nil {
			if all, err := dir.Names(); err == nil {
				slices.Sort(all)
				for _, name := range all {
					if strings.Contains(name, "-linux-") { // Debian: one folder for each architecture
						candidates = append(candidates, lib+"/"+name+"/security")
					}
				}
			}
			if err := dir.Close(); err != nil {
				continue
			}
		}
		for _, folder := range candidates {
			if e.exists(e.Root + folder + "/pam_permit.so") {
				return folder
			}
		}
	}
	return ""
}
