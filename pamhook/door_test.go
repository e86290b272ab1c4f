package pamhook

import (
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"twokey/pamhook/wire"
)

// doors finds what could let somebody in beside the function allow: a mention of the allowing frame, a verdict with something in it,
// a frame made of a number, or a verdict that is changed. It also lists who calls allow.
func doors(file *ast.File) (wrong, callers []string) {
	for _, d := range file.Decls {
		name := "outside of functions"
		if f, ok := d.(*ast.FuncDecl); ok {
			name = f.Name.Name
		}
		report := func(what string) { wrong = append(wrong, name+": "+what) }
		ast.Inspect(d, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.SelectorExpr:
				if n.Sel.Name == "TypeAllow" && name != "allow" {
					report("TypeAllow")
				}
				if n.Sel.Name == "frame" && name != "Frame" {
					report("the field of a verdict")
				}
			case *ast.CompositeLit:
				if isNamed(n.Type, "Verdict") && len(n.Elts) > 0 && name != "allow" && name != "ignore" {
					report("a verdict with something in it")
				}
			case *ast.CallExpr:
				if sel, ok := n.Fun.(*ast.SelectorExpr); ok && sel.Sel.Name == "Type" {
					report("a frame type made of something")
				}
				if isNamed(n.Fun, "allow") {
					callers = append(callers, name)
				}
			case *ast.ImportSpec:
				if n.Path.Value == `"unsafe"` || n.Path.Value == `"reflect"` || n.Name != nil {
					report("import " + n.Path.Value)
				}
			}
			return true
		})
	}
	return wrong, callers
}

func isNamed(e ast.Expr, name string) bool {
	id, ok := e.(*ast.Ident)
	return ok && id.Name == name
}

// sources parses the shipped files of a folder.
func sources(t *testing.T, folder string) (files []*ast.File) {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(folder, "*.go"))
	must(t, err)
	for _, path := range paths {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		text, err := os.ReadFile(path)
		must(t, err)
		file, err := parser.ParseFile(token.NewFileSet(), path, text, 0)
		must(t, err)
		files = append(files, file)
	}
	if len(files) == 0 {
		t.Fatalf("no sources in %s", folder)
	}
	return files
}

func TestMustHaveOneWayToAnAllowingVerdict(t *testing.T) {
	var callers []string
	for _, folder := range []string{".", "../cmd/twokey-verify"} {
		for _, file := range sources(t, folder) {
			wrong, calls := doors(file)
			for _, w := range wrong {
				t.Errorf("%s: %s", file.Name.Name, w)
			}
			callers = append(callers, calls...)
		}
	}
	slices.Sort(callers)
	if !slices.Equal(callers, []string{"letIn", "openRecorded", "passAccount"}) {
		t.Errorf("allow is called by %q", callers)
	}
}

// The test above must see what it is there for.
func TestASecondDoorIsSeen(t *testing.T) {
	for what, body := range map[string]string{
		"the frame":            `func f() wire.Type { return wire.TypeAllow }`,
		"a verdict":            `func f() Verdict { return Verdict{wire.TypeDeny} }`,
		"a verdict by field":   `func f() Verdict { return Verdict{frame: ignored} }`,
		"a verdict changed":    `func f() (v Verdict) { v.frame = other; return v }`,
		"a verdict by pointer": `func f() (v Verdict) { set(&v.frame); return v }`,
		"a number":             `func f() wire.Type { return wire.Type(0xa1) }`,
		"a variable":           `var door = wire.TypeAllow`,
		"reflection":           `import "reflect"`,
		"another name":         `import w "twokey/pamhook/wire"`,
	} {
		file, err := parser.ParseFile(token.NewFileSet(), what, "package p\n"+body, 0)
		must(t, err)
		if wrong, _ := doors(file); len(wrong) == 0 {
			t.Errorf("%s: not seen", what)
		}
	}
}

func TestTheZeroVerdictDeniesAndAnErrorClosesTheDoor(t *testing.T) {
	fault := errors.New("fault")
	for want, verdicts := range map[wire.Type][]Verdict{
		wire.TypeDeny:   {{}, allow(fault, nil), allow(nil, fault), allow(fault, fault)},
		wire.TypeIgnore: {ignore()},
		wire.TypeAllow:  {allow(nil, nil)},
	} {
		for i, v := range verdicts {
			if v.Frame() != want {
				t.Errorf("%d: %#x, want %#x", i, v.Frame(), want)
			}
		}
	}
}

// What a phase does that this version does not know is nothing.
func TestAnUnknownPhaseIsDenied(t *testing.T) {
	w := newWorld(t)
	for _, phase := range []wire.Phase{0, 4, 255} {
		w.reset()
		w.hello.Phase = phase
		if got := w.frame(); got != denies || len(w.calls) > 0 {
			t.Errorf("phase %d: %#x after %v", phase, got, fmt.Sprint(w.calls))
		}
	}
}
