package main

import (
	"bytes"
	"os"
	"text/template"
)

type line struct {
	Template string  `json:"template"`
	Want     *string `json:"want,omitempty"`
	Error    string  `json:"error,omitempty"`
}

func execute(source string, data interface{}) (string, error) {
	parsed, err := template.New("t").Option("missingkey=zero").Funcs(functions()).Parse(source)
	if err != nil {
		return "", err
	}
	var out bytes.Buffer
	err = parsed.Execute(&out, data)
	return out.String(), err
}

// expressions renders single templates, each from a line of JSON, {"template": …}, with the data of a file.
func expressions(file string) {
	content, err := os.ReadFile(file)
	if err != nil {
		panic(err)
	}
	eachLine(func(text []byte) interface{} {
		var one line
		decode(text, &one)
		// Functions change maps: every template has data of its own.
		var data interface{}
		decode(content, &data)
		want, err := execute(one.Template, data)
		if err != nil {
			return line{Template: one.Template, Error: err.Error()}
		}
		return line{Template: one.Template, Want: &want}
	})
}
