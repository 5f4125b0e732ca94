// Renders templates with Go's own text/template and sprig: what the recorded output of testdata/functions is from.
// Reads lines of JSON, {"template": …}, and writes each with "want" or "error". The first argument is a file of data.
package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"os"
	"strings"
	"text/template"

	"github.com/BurntSushi/toml"
	"github.com/Masterminds/sprig"
	"sigs.k8s.io/yaml"
)

type line struct {
	Template string  `json:"template"`
	Want     *string `json:"want,omitempty"`
	Error    string  `json:"error,omitempty"`
}

func functions() template.FuncMap {
	all := sprig.TxtFuncMap()
	all["toYaml"] = func(value interface{}) string {
		text, err := yaml.Marshal(value)
		if err != nil {
			return ""
		}
		return strings.TrimSuffix(string(text), "\n")
	}
	all["fromYaml"] = func(text string) map[string]interface{} {
		value := map[string]interface{}{}
		if err := yaml.Unmarshal([]byte(text), &value); err != nil {
			value["Error"] = err.Error()
		}
		return value
	}
	all["fromYamlArray"] = func(text string) []interface{} {
		value := []interface{}{}
		if err := yaml.Unmarshal([]byte(text), &value); err != nil {
			value = []interface{}{err.Error()}
		}
		return value
	}
	all["toToml"] = func(value interface{}) string {
		var text bytes.Buffer
		if err := toml.NewEncoder(&text).Encode(value); err != nil {
			return err.Error()
		}
		return text.String()
	}
	return all
}

func render(source string, data interface{}) (text string, err error) {
	parsed, err := template.New("t").Option("missingkey=zero").Funcs(functions()).Parse(source)
	if err != nil {
		return "", err
	}
	var out bytes.Buffer
	err = parsed.Execute(&out, data)
	return out.String(), err
}

func main() {
	content, err := os.ReadFile(os.Args[1])
	if err != nil {
		panic(err)
	}
	input := bufio.NewScanner(os.Stdin)
	input.Buffer(nil, 1<<20)
	output := json.NewEncoder(os.Stdout)
	output.SetEscapeHTML(false)
	for input.Scan() {
		var one line
		if err := json.Unmarshal(input.Bytes(), &one); err != nil {
			panic(err)
		}
		// Functions change maps: every template has data of its own.
		var data interface{}
		if err := json.Unmarshal(content, &data); err != nil {
			panic(err)
		}
		text, err := render(one.Template, data)
		one.Want, one.Error = nil, ""
		if err != nil {
			one.Error = err.Error()
		} else {
			one.Want = &text
		}
		if err := output.Encode(one); err != nil {
			panic(err)
		}
	}
}
