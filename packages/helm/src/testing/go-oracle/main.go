// Renders templates and charts with Go's own text/template and sprig: what the recorded output of testdata is from. Reads
// lines of JSON, and writes for each what came out, or the error.
//
//	oracle expressions DATA
//	oracle charts
package main

import (
	"bufio"
	"encoding/json"
	"os"
)

type values = map[string]interface{}

func decode(text []byte, into interface{}) {
	if err := json.Unmarshal(text, into); err != nil {
		panic(err)
	}
}

func eachLine(answer func(text []byte) interface{}) {
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 1<<24)
	out := json.NewEncoder(os.Stdout)
	out.SetEscapeHTML(false)
	for lines.Scan() {
		if err := out.Encode(answer(lines.Bytes())); err != nil {
			panic(err)
		}
	}
}

func main() {
	if os.Args[1] == "charts" {
		charts()
	} else {
		expressions(os.Args[2])
	}
}
