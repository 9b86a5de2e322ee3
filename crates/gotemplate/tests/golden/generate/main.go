// Executes the golden cases with Go's text/template and writes what comes out beside them.
//
// A case file holds cases and settings that hold for the cases after them:
//
//	@data JSON         the data; an object with one key that starts with $ has a type of its own
//	@options KEY=VALUE ...   missingkey, left, right, name, execute; none: the defaults
//	=== NAME           a case; the template is all lines up to the next setting or case
//
// In both kinds of file the newline that ends a text does not belong to it.
package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"text/template"
)

// Service is a structure with methods.
type Service struct {
	Name string
	Port int
	Tags Tags
	Meta map[string]string
	Any  interface{}
}

func (s Service) Address() string       { return "10.0.0.1" }
func (s Service) Has(tag string) bool   { return s.Tags.Contains(tag) }
func (s Service) Fail() (string, error) { return "", errors.New("no service") }
func (s Service) Sum(n int, m ...int) int {
	for _, i := range m {
		n += i
	}
	return n
}

// Tags is a list with a method.
type Tags []string

func (t Tags) Contains(tag string) bool {
	for _, s := range t {
		if s == tag {
			return true
		}
	}
	return false
}

// Secret prints itself.
type Secret struct{ Text string }

func (s Secret) String() string { return "<" + s.Text + ">" }

var functions = template.FuncMap{
	"join":  func(items []string, separator string) string { return strings.Join(items, separator) },
	"split": func(separator, text string) []string { return strings.Split(text, separator) },
	"upper": strings.ToUpper,
	"add":   func(a, b int) int { return a + b },
	"half":  func(a float64) float64 { return a / 2 },
	"twice": func(a uint64) uint64 { return a * 2 },
	"yesno": func(b bool) string { return map[bool]string{true: "yes", false: "no"}[b] },
	"fail":  func(text string) (string, error) { return "", errors.New(text) },
	"strs":  func(items ...string) []string { return items },
	"count": func(text string, numbers ...int) int { return len(text) + len(numbers) },
	"hello": func() string { return "hello" },
	"null":  func() interface{} { return nil },
	"same":  func(value interface{}) interface{} { return value },
	"size":  func(m map[string]string) int { return len(m) },
	"items": func(items []interface{}) int { return len(items) },
}

// typed turns JSON into data: numbers with neither point nor exponent become int.
func typed(value interface{}) interface{} {
	switch value := value.(type) {
	case json.Number:
		if i, err := value.Int64(); err == nil {
			return int(i)
		}
		f, err := value.Float64()
		check(err)
		return f
	case []interface{}:
		for i := range value {
			value[i] = typed(value[i])
		}
		return value
	case map[string]interface{}:
		if len(value) == 1 {
			for tag, inner := range value {
				if strings.HasPrefix(tag, "$") {
					return tagged(tag, inner)
				}
			}
		}
		for key := range value {
			value[key] = typed(value[key])
		}
		return value
	}
	return value
}

func tagged(tag string, value interface{}) interface{} {
	text, err := json.Marshal(value)
	check(err)
	into := func(pointer interface{}) { check(json.Unmarshal(text, pointer)) }
	switch tag {
	case "$env":
		var m map[string]string
		into(&m)
		return m
	case "$strings":
		var l []string
		into(&l)
		return l
	case "$ints":
		var l []int
		into(&l)
		return l
	case "$floats":
		var l []float64
		into(&l)
		return l
	case "$bools":
		var l []bool
		into(&l)
		return l
	case "$intmap":
		var m map[string]int
		into(&m)
		return m
	case "$listmap":
		var m map[string][]string
		into(&m)
		return m
	case "$uint":
		var u uint64
		into(&u)
		return u
	case "$float":
		var f float64
		into(&f)
		return f
	case "$tags":
		var t Tags
		into(&t)
		return t
	case "$service":
		var s Service
		into(&s)
		return s
	case "$pointer":
		var s Service
		into(&s)
		return &s
	case "$secret":
		var s Secret
		into(&s.Text)
		return s
	case "$func":
		var name string
		into(&name)
		return functions[name]
	}
	panic("unknown tag " + tag)
}

type options struct {
	missingkey, left, right, name, execute string
}

func parseOptions(line string) options {
	o := options{name: "t"}
	for _, field := range strings.Fields(line) {
		pair := strings.SplitN(field, "=", 2)
		switch pair[0] {
		case "missingkey":
			o.missingkey = pair[1]
		case "left":
			o.left = pair[1]
		case "right":
			o.right = pair[1]
		case "name":
			o.name = pair[1]
		case "execute":
			o.execute = pair[1]
		default:
			panic("unknown option " + pair[0])
		}
	}
	return o
}

func run(text string, data interface{}, o options) (string, error) {
	t := template.New(o.name).Funcs(functions).Delims(o.left, o.right)
	if o.missingkey != "" {
		t.Option("missingkey=" + o.missingkey)
	}
	if _, err := t.Parse(text); err != nil {
		return "", err
	}
	var out bytes.Buffer
	var err error
	if o.execute != "" {
		err = t.ExecuteTemplate(&out, o.execute, data)
	} else {
		err = t.Execute(&out, data)
	}
	return out.String(), err
}

func generate(path string) int {
	content, err := os.ReadFile(path)
	check(err)
	var out bytes.Buffer
	var data interface{}
	o := parseOptions("")
	count := 0
	seen := map[string]bool{}
	var name string
	var lines []string
	flush := func() {
		if name == "" {
			return
		}
		if seen[name] {
			panic("two cases are named " + name)
		}
		seen[name] = true
		text, err := run(strings.Join(lines, "\n"), data, o)
		fmt.Fprintf(&out, "=== %s\n", name)
		if err == nil || text != "" {
			fmt.Fprintf(&out, "--- output\n%s\n", text)
		}
		if err != nil {
			fmt.Fprintf(&out, "--- error\n%s\n", err)
		}
		name, lines = "", nil
		count++
	}
	for _, line := range strings.Split(strings.TrimSuffix(string(content), "\n"), "\n") {
		switch {
		case strings.HasPrefix(line, "@data "):
			flush()
			decoder := json.NewDecoder(strings.NewReader(line[len("@data "):]))
			decoder.UseNumber()
			data = nil
			check(decoder.Decode(&data))
			data = typed(data)
		case strings.HasPrefix(line, "@options"):
			flush()
			o = parseOptions(line[len("@options"):])
		case strings.HasPrefix(line, "=== "):
			flush()
			name = line[len("=== "):]
		case name != "":
			lines = append(lines, line)
		}
	}
	flush()
	check(os.WriteFile(strings.TrimSuffix(path, ".txt")+".golden", out.Bytes(), 0o644))
	return count
}

func check(err error) {
	if err != nil {
		panic(err)
	}
}

func main() {
	paths, err := filepath.Glob(filepath.Join(os.Args[1], "*.txt"))
	check(err)
	total := 0
	for _, path := range paths {
		total += generate(path)
	}
	fmt.Println(total, "cases in", len(paths), "files")
}
