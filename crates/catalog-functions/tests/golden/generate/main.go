// Executes the golden cases whose bytes Go's libraries decide, and writes what comes out beside them.
//
// A case file holds cases:
//
//	=== NAME           a case; the template is all lines up to the next case
//
// In both kinds of file the newline that ends a text does not belong to it.
package main

import (
	"bytes"
	"crypto/hmac"
	"crypto/md5"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"text/template"
	"time"

	"github.com/BurntSushi/toml"
	"gopkg.in/yaml.v2"
)

// now is the time of all cases; golden.rs has the same.
var now = time.Date(2026, time.March, 5, 7, 8, 9, 120345000, time.UTC)

func writeJSON(value interface{}, html bool, indent string) (string, error) {
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(html)
	encoder.SetIndent("", indent)
	err := encoder.Encode(value)
	return strings.TrimSuffix(out.String(), "\n"), err
}

var functions = template.FuncMap{
	"parseJSON": func(text string) (value interface{}, err error) {
		if text == "" {
			return map[string]interface{}{}, nil
		}
		err = json.Unmarshal([]byte(text), &value)
		return value, err
	},
	"toJSON":                func(value interface{}) (string, error) { return writeJSON(value, true, "") },
	"toJSONPretty":          func(value interface{}) (string, error) { return writeJSON(value, true, "  ") },
	"toUnescapedJSON":       func(value interface{}) (string, error) { return writeJSON(value, false, "") },
	"toUnescapedJSONPretty": func(value interface{}) (string, error) { return writeJSON(value, false, "  ") },
	"parseYAML": func(text string) (value interface{}, err error) {
		if text == "" {
			return map[string]interface{}{}, nil
		}
		err = yaml.Unmarshal([]byte(text), &value)
		return value, err
	},
	"toYAML": func(value interface{}) (string, error) {
		out, err := yaml.Marshal(value)
		return strings.TrimSpace(string(out)), err
	},
	"toTOML": func(value interface{}) (string, error) {
		var out bytes.Buffer
		err := toml.NewEncoder(&out).Encode(value)
		return strings.TrimSpace(out.String()), err
	},
	"toLower":    strings.ToLower,
	"toUpper":    strings.ToUpper,
	"toTitle":    strings.Title,
	"trimSpace":  strings.TrimSpace,
	"trim":       func(set, text string) string { return strings.Trim(text, set) },
	"trimLeft":   func(set, text string) string { return strings.TrimLeft(text, set) },
	"trimRight":  func(set, text string) string { return strings.TrimRight(text, set) },
	"trimPrefix": func(prefix, text string) string { return strings.TrimPrefix(text, prefix) },
	"trimSuffix": func(suffix, text string) string { return strings.TrimSuffix(text, suffix) },
	"replaceAll": func(from, to, text string) string { return strings.Replace(text, from, to, -1) },
	"join":       func(separator string, items []string) string { return strings.Join(items, separator) },
	"split": func(separator, text string) []string {
		text = strings.TrimSpace(text)
		if text == "" {
			return []string{}
		}
		return strings.Split(text, separator)
	},
	"parseBool": func(text string) (bool, error) {
		if text == "" {
			return false, nil
		}
		return strconv.ParseBool(text)
	},
	"parseInt": func(text string) (int64, error) {
		if text == "" {
			return 0, nil
		}
		return strconv.ParseInt(text, 10, 64)
	},
	"parseUint": func(text string) (uint64, error) {
		if text == "" {
			return 0, nil
		}
		return strconv.ParseUint(text, 10, 64)
	},
	"parseFloat": func(text string) (float64, error) {
		if text == "" {
			return 0, nil
		}
		return strconv.ParseFloat(text, 10)
	},
	"regexMatch": func(pattern, text string) (bool, error) {
		compiled, err := regexp.Compile(pattern)
		if err != nil {
			return false, err
		}
		return compiled.MatchString(text), nil
	},
	"regexReplaceAll": func(pattern, to, text string) (string, error) {
		compiled, err := regexp.Compile(pattern)
		if err != nil {
			return "", err
		}
		return compiled.ReplaceAllString(text, to), nil
	},
	"base64Encode":    func(text string) string { return base64.StdEncoding.EncodeToString([]byte(text)) },
	"base64URLEncode": func(text string) string { return base64.URLEncoding.EncodeToString([]byte(text)) },
	"base64Decode": func(text string) (string, error) {
		out, err := base64.StdEncoding.DecodeString(text)
		return string(out), err
	},
	"base64URLDecode": func(text string) (string, error) {
		out, err := base64.URLEncoding.DecodeString(text)
		return string(out), err
	},
	"md5sum":    func(text string) string { sum := md5.Sum([]byte(text)); return hex.EncodeToString(sum[:]) },
	"sha256Hex": func(text string) string { sum := sha256.Sum256([]byte(text)); return hex.EncodeToString(sum[:]) },
	"hmacSHA256Hex": func(message, key string) string {
		sum := hmac.New(sha256.New, []byte(key))
		sum.Write([]byte(message))
		return hex.EncodeToString(sum.Sum(nil))
	},
	"timestamp": func(layout ...string) string {
		switch {
		case len(layout) == 0:
			return now.Format(time.RFC3339)
		case layout[0] == "unix":
			return strconv.FormatInt(now.Unix(), 10)
		}
		return now.Format(layout[0])
	},
	"divide": func(b, a int) int { return a / b },
	"modulo": func(b, a int) int { return a % b },
}

func run(text string) (string, error) {
	t, err := template.New("t").Funcs(functions).Option("missingkey=zero").Parse(text)
	if err != nil {
		return "", err
	}
	var out bytes.Buffer
	err = t.Execute(&out, nil)
	return out.String(), err
}

func generate(path string) int {
	content, err := os.ReadFile(path)
	check(err)
	var out bytes.Buffer
	seen := map[string]bool{}
	cases := strings.Split("\n"+strings.TrimSuffix(string(content), "\n"), "\n=== ")[1:]
	for _, c := range cases {
		parts := strings.SplitN(c, "\n", 2)
		if seen[parts[0]] || len(parts) < 2 {
			panic("two cases are named, or one is empty: " + parts[0])
		}
		seen[parts[0]] = true
		text, err := run(parts[1])
		fmt.Fprintf(&out, "=== %s\n", parts[0])
		if err == nil {
			fmt.Fprintf(&out, "--- output\n%s\n", text)
		} else {
			fmt.Fprintf(&out, "--- error\n%s\n", err)
		}
	}
	check(os.WriteFile(strings.TrimSuffix(path, ".txt")+".golden", out.Bytes(), 0o644))
	return len(cases)
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
