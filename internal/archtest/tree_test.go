package archtest

import (
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// module is the name of ours, which begins the path of each of our packages.
const module = "twokey"

// tree is the module as the go command sees it: our packages, and what they reach.
type tree struct {
	fset     *token.FileSet
	packages []*pkg
}

// pkg is one of our packages.
type pkg struct {
	name    string   // below the module: "pamhook/wire"
	imports []string // full paths, of the files that are built
	reaches []string // imports, and theirs, and so on
	files   []*file  // those that are built; not the tests
}

// file is one source file.
type file struct {
	name string // "wire.go"
	pkg  *pkg
	ast  *ast.File
}

// listed is what the go command says of a package.
type listed struct {
	ImportPath string
	Dir        string
	Standard   bool
	GoFiles    []string
	CgoFiles   []string
	Imports    []string
	Deps       []string
	Error      *struct{ Err string }
}

// load reads the module in a directory. Tags are those of the programs that the Makefile builds.
func load(t *testing.T, dir string) *tree {
	t.Helper()
	cmd := exec.Command("go", "list", "-e", "-deps", "-json=ImportPath,Dir,Standard,GoFiles,CgoFiles,Imports,Deps,Error", "-tags=urfave_cli_no_docs", "./...")
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "CGO_ENABLED=1", "GOWORK=off")
	var complaint strings.Builder
	cmd.Stderr = &complaint
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v: %s", err, complaint.String())
	}
	tr := &tree{fset: token.NewFileSet()}
	for decoder := json.NewDecoder(strings.NewReader(string(out))); ; {
		var l listed
		if err := decoder.Decode(&l); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		if l.Error != nil {
			t.Fatalf("%s: %s", l.ImportPath, l.Error.Err)
		}
		if name, ok := strings.CutPrefix(l.ImportPath, module+"/"); ok {
			tr.packages = append(tr.packages, tr.parse(t, name, l))
		}
	}
	return tr
}

func (tr *tree) parse(t *testing.T, name string, l listed) *pkg {
	t.Helper()
	p := &pkg{name: name, imports: l.Imports, reaches: l.Deps}
	for _, source := range append(l.GoFiles, l.CgoFiles...) {
		parsed, err := parser.ParseFile(tr.fset, filepath.Join(l.Dir, source), nil, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		p.files = append(p.files, &file{source, p, parsed})
	}
	return p
}

// ours are the packages of the module that a package imports, by their names below it.
func (p *pkg) ours() []string {
	var names []string
	for _, imported := range p.imports {
		if name, ok := strings.CutPrefix(imported, module+"/"); ok {
			names = append(names, name)
		}
	}
	return names
}

// is reports whether the package is one of these: a name, or a name and "/..." for it and all below it.
func (p *pkg) is(patterns ...string) bool { return matches(p.name, patterns) }

func matches(name string, patterns []string) bool {
	for _, pattern := range patterns {
		below, tree := strings.CutSuffix(pattern, "/...")
		if name == pattern || tree && (name == below || strings.HasPrefix(name, below+"/")) {
			return true
		}
	}
	return false
}

// forTests reports whether a package is there for tests or measurements only, as its name or that of a folder above it says: "...test", "fakes",
// or "bench".
func (p *pkg) forTests() bool { return forTests(p.name) }

func forTests(name string) bool {
	return slices.ContainsFunc(strings.Split(name, "/"), func(part string) bool {
		return strings.HasSuffix(part, "test") || part == "fakes" || part == "bench"
	})
}

// at is "folder/file.go:12".
func (tr *tree) at(f *file, n ast.Node) string {
	return fmt.Sprintf("%s/%s:%d", f.pkg.name, f.name, tr.fset.Position(n.Pos()).Line)
}

// importedAs gives the names under which a file knows packages: "os" → "os", "golang.org/x/sys/unix" → "unix". A dot import
// comes as ".".
func (f *file) importedAs() map[string]string {
	names := map[string]string{}
	for _, spec := range f.ast.Imports {
		imported, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			continue // the parser has accepted it
		}
		name := path.Base(imported)
		if spec.Name != nil {
			name = spec.Name.Name
		}
		names[imported] = name
	}
	return names
}

// uses calls found for every use of a name of an imported package, called or not: f := os.Open opens files too.
func (f *file) uses(imported string, found func(name string, n ast.Node)) {
	as, ok := f.importedAs()[imported]
	if !ok {
		return
	}
	ast.Inspect(f.ast, func(n ast.Node) bool {
		selector, ok := n.(*ast.SelectorExpr)
		if !ok {
			return true
		}
		if x, ok := selector.X.(*ast.Ident); ok && x.Name == as {
			found(selector.Sel.Name, n)
		}
		return true
	})
}
