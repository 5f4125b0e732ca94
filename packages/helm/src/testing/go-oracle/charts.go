// Charts, values and dependencies after the rules that Helm's documentation gives.

package main

import (
	"encoding/base64"
	"fmt"
	"path"
	"sort"
	"strconv"
	"strings"
	"text/template"

	"github.com/Masterminds/semver"
	"github.com/gobwas/glob"
	"sigs.k8s.io/yaml"
)

type input struct {
	Name        string            `json:"name"`
	Files       map[string]string `json:"files"`
	Values      values            `json:"values"`
	Release     release           `json:"release"`
	KubeVersion string            `json:"kubeVersion"`
	APIVersions []string          `json:"apiVersions"`
}

type release struct {
	Name      string `json:"name"`
	Namespace string `json:"namespace"`
	IsUpgrade bool   `json:"isUpgrade"`
}

type output struct {
	Name     string            `json:"name"`
	Rendered map[string]string `json:"rendered,omitempty"`
	Error    string            `json:"error,omitempty"`
}

type maintainer struct {
	Name  string `json:"name,omitempty"`
	Email string `json:"email,omitempty"`
	URL   string `json:"url,omitempty"`
}

type dependency struct {
	Name         string        `json:"name"`
	Version      string        `json:"version,omitempty"`
	Repository   string        `json:"repository"`
	Condition    string        `json:"condition,omitempty"`
	Tags         []string      `json:"tags,omitempty"`
	Enabled      bool          `json:"enabled,omitempty"`
	ImportValues []interface{} `json:"import-values,omitempty"`
	Alias        string        `json:"alias,omitempty"`
}

type metadata struct {
	Name         string            `json:"name,omitempty"`
	Home         string            `json:"home,omitempty"`
	Sources      []string          `json:"sources,omitempty"`
	Version      string            `json:"version,omitempty"`
	Description  string            `json:"description,omitempty"`
	Keywords     []string          `json:"keywords,omitempty"`
	Maintainers  []*maintainer     `json:"maintainers,omitempty"`
	Icon         string            `json:"icon,omitempty"`
	APIVersion   string            `json:"apiVersion,omitempty"`
	Condition    string            `json:"condition,omitempty"`
	Tags         string            `json:"tags,omitempty"`
	AppVersion   string            `json:"appVersion,omitempty"`
	Deprecated   bool              `json:"deprecated,omitempty"`
	Annotations  map[string]string `json:"annotations,omitempty"`
	KubeVersion  string            `json:"kubeVersion,omitempty"`
	Dependencies []*dependency     `json:"dependencies,omitempty"`
	Type         string            `json:"type,omitempty"`
}

type chartView struct {
	metadata
	IsRoot bool
}

type chart struct {
	meta      metadata
	values    values
	templates map[string]string
	files     files
	charts    []*chart
}

func unmarshal(text string, into interface{}) {
	if err := yaml.Unmarshal([]byte(text), into); err != nil {
		panic(err)
	}
}

// load takes the files of one folder apart: the chart's own, and those of charts below charts/.
func load(all map[string]string) *chart {
	c := &chart{values: values{}, templates: map[string]string{}, files: files{}}
	below := map[string]map[string]string{}
	for name, text := range all {
		switch {
		case name == "Chart.yaml":
			unmarshal(text, &c.meta)
		case name == "values.yaml":
			unmarshal(text, &c.values)
		case name == "Chart.lock" || name == "values.schema.json" || name == "requirements.yaml" || name == "requirements.lock":
		case strings.HasPrefix(name, "templates/"):
			c.templates[name] = text
		case strings.HasPrefix(name, "charts/"):
			parts := strings.SplitN(strings.TrimPrefix(name, "charts/"), "/", 2)
			if len(parts) == 2 && !strings.HasPrefix(parts[0], "_") && !strings.HasPrefix(parts[0], ".") {
				if below[parts[0]] == nil {
					below[parts[0]] = map[string]string{}
				}
				below[parts[0]][parts[1]] = text
			}
		default:
			c.files[name] = []byte(text)
		}
	}
	if c.meta.APIVersion == "" {
		c.meta.APIVersion = "v1"
	}
	if c.meta.APIVersion == "v1" {
		var requirements struct {
			Dependencies []*dependency `json:"dependencies"`
		}
		unmarshal(all["requirements.yaml"], &requirements)
		if len(requirements.Dependencies) > 0 {
			c.meta.Dependencies = requirements.Dependencies
		}
	}
	names := []string{}
	for name := range below {
		names = append(names, name)
	}
	sort.Strings(names)
	for _, name := range names {
		c.charts = append(c.charts, load(below[name]))
	}
	return c
}

func clone(value interface{}) interface{} {
	switch v := value.(type) {
	case values:
		copied := values{}
		for key, one := range v {
			copied[key] = clone(one)
		}
		return copied
	case []interface{}:
		copied := make([]interface{}, len(v))
		for at, one := range v {
			copied[at] = clone(one)
		}
		return copied
	}
	return value
}

// over fills a map with defaults; what is null in it takes a default away.
func over(into, defaults values) values {
	for key, value := range defaults {
		mine, there := into[key]
		switch {
		case there && mine == nil:
			delete(into, key)
		case !there:
			into[key] = clone(value)
		default:
			if table, ok := value.(values); ok {
				if own, ok := mine.(values); ok {
					over(own, table)
				}
			}
		}
	}
	return into
}

// coalesce brings all defaults of a chart and of those in it below the values, and the globals down.
func coalesce(c *chart, given values) values {
	over(given, c.values)
	for _, sub := range c.charts {
		own, ok := given[sub.meta.Name].(values)
		if !ok {
			own = values{}
		}
		globals, _ := own["global"].(values)
		if globals == nil {
			globals = values{}
		}
		if above, ok := given["global"].(values); ok {
			copied := clone(above).(values)
			own["global"] = over(copied, globals)
		} else {
			own["global"] = globals
		}
		given[sub.meta.Name] = coalesce(sub, own)
	}
	return given
}

func at(all values, dotted string) (interface{}, bool) {
	var here interface{} = all
	for _, key := range strings.Split(dotted, ".") {
		table, ok := here.(values)
		if !ok {
			return nil, false
		}
		if here, ok = table[key]; !ok {
			return nil, false
		}
	}
	return here, true
}

// enabled leaves out the charts that conditions and tags turn off, and gives the others their aliases.
func enabled(c *chart, given values, prefix string) {
	kept := []*chart{}
	for _, sub := range c.charts {
		named := false
		for _, dep := range c.meta.Dependencies {
			named = named || dep.Name == sub.meta.Name
		}
		if !named {
			kept = append(kept, sub)
		}
	}
	for _, dep := range c.meta.Dependencies {
		for _, sub := range c.charts {
			if sub.meta.Name == dep.Name {
				copied := *sub
				if dep.Alias != "" {
					copied.meta.Name = dep.Alias
				}
				kept = append(kept, &copied)
				break
			}
		}
		if dep.Alias != "" {
			dep.Name = dep.Alias
		}
		dep.Enabled = true
	}
	c.charts = kept
	all := coalesce(c, clone(given).(values))
	for _, dep := range c.meta.Dependencies {
		yes, no := false, false
		for _, tag := range dep.Tags {
			if on, ok := at(all, "tags."+tag); ok {
				if on == true {
					yes = true
				} else {
					no = true
				}
			}
		}
		dep.Enabled = yes || !no
		for _, condition := range strings.Split(dep.Condition, ",") {
			if on, ok := at(all, prefix+strings.TrimSpace(condition)); ok && condition != "" {
				if on, ok := on.(bool); ok {
					dep.Enabled = on
					break
				}
			}
		}
	}
	on := []*chart{}
	for _, sub := range c.charts {
		use := true
		for _, dep := range c.meta.Dependencies {
			use = use && (dep.Name != sub.meta.Name || dep.Enabled)
		}
		if use {
			on = append(on, sub)
		}
	}
	c.charts = on
	used := []*dependency{}
	for _, dep := range c.meta.Dependencies {
		if dep.Enabled {
			used = append(used, dep)
		}
	}
	c.meta.Dependencies = used
	for _, sub := range c.charts {
		own, _ := all[sub.meta.Name].(values)
		below := values{}
		for key, value := range own {
			below[key] = value
		}
		below["tags"] = all["tags"]
		enabled(sub, below, "")
	}
}

func nested(dotted string, value values) values {
	keys := strings.Split(dotted, ".")
	for index := len(keys) - 1; index >= 0; index-- {
		if keys[index] != "" {
			value = values{keys[index]: value}
		}
	}
	return value
}

// imported lifts values of charts in a chart to where its import-values say.
func imported(c *chart) {
	for _, sub := range c.charts {
		imported(sub)
	}
	all := coalesce(c, values{})
	lifted := values{}
	for _, dep := range c.meta.Dependencies {
		for _, one := range dep.ImportValues {
			switch one := one.(type) {
			case values:
				child, _ := one["child"].(string)
				parent, _ := one["parent"].(string)
				if table, ok := at(all, dep.Name+"."+child); ok {
					if table, ok := table.(values); ok {
						if parent == "." {
							parent = ""
						}
						lifted = over(nested(parent, clone(table).(values)), lifted)
					}
				}
			case string:
				if table, ok := at(all, dep.Name+".exports."+one); ok {
					if table, ok := table.(values); ok {
						lifted = over(clone(table).(values), lifted)
					}
				}
			}
		}
	}
	c.values = over(clone(c.values).(values), lifted)
}

type files map[string][]byte

func (f files) Get(name string) string      { return string(f[name]) }
func (f files) GetBytes(name string) []byte { return f[name] }

func (f files) Glob(pattern string) files {
	matcher, err := glob.Compile(pattern, '/')
	if err != nil {
		matcher = glob.MustCompile("**")
	}
	found := files{}
	for name, content := range f {
		if matcher.Match(name) {
			found[name] = content
		}
	}
	return found
}

func (f files) as(text func([]byte) string) string {
	if len(f) == 0 {
		return "{}"
	}
	all := map[string]string{}
	for name, content := range f {
		all[path.Base(name)] = text(content)
	}
	return toYaml(all)
}

func (f files) AsConfig() string {
	return f.as(func(content []byte) string { return string(content) })
}

func (f files) AsSecrets() string { return f.as(base64.StdEncoding.EncodeToString) }

func (f files) Lines(name string) []string {
	text := string(f[name])
	if text == "" {
		return []string{}
	}
	return strings.Split(strings.TrimSuffix(text, "\n"), "\n")
}

type versions []string

func (v versions) Has(one string) bool {
	for _, each := range v {
		if each == one {
			return true
		}
	}
	return false
}

type kubeVersion struct{ Version, Major, Minor string }

func (k kubeVersion) String() string     { return k.Version }
func (k kubeVersion) GitVersion() string { return k.Version }

type capabilities struct {
	KubeVersion kubeVersion
	APIVersions versions
	HelmVersion struct{ Version, GitCommit, GitTreeState, GoVersion string }
}

// bind gives a set of templates the functions that need it.
func bind(set *template.Template) {
	depth := 0
	set.Funcs(template.FuncMap{
		"include": func(name string, data interface{}) (string, error) {
			if depth++; depth > 400 {
				return "", fmt.Errorf("%s includes itself too often", name)
			}
			defer func() { depth-- }()
			var text strings.Builder
			err := set.ExecuteTemplate(&text, name, data)
			return text.String(), err
		},
		"tpl": func(source string, data interface{}) (string, error) {
			inner, err := set.Clone()
			if err != nil {
				return "", err
			}
			inner.Option("missingkey=zero")
			bind(inner)
			if inner, err = inner.New(set.Name()).Parse(source); err != nil {
				return "", err
			}
			var text strings.Builder
			err = inner.Execute(&text, data)
			return strings.ReplaceAll(text.String(), "<no value>", ""), err
		},
	})
}

type renderable struct {
	text  string
	scope values
	base  string
}

func collect(c *chart, where string, isRoot bool, given values, shared values, into map[string]renderable) values {
	subcharts := values{}
	scope := values{
		"Chart": chartView{c.meta, isRoot}, "Files": c.files, "Values": given, "Subcharts": subcharts,
		"Release": shared["Release"], "Capabilities": shared["Capabilities"],
	}
	for _, sub := range c.charts {
		own, _ := given[sub.meta.Name].(values)
		if own == nil {
			own = values{}
		}
		subcharts[sub.meta.Name] = collect(sub, where+"/charts/"+sub.meta.Name, false, own, shared, into)
	}
	for name, text := range c.templates {
		if c.meta.Type == "library" && !strings.HasPrefix(path.Base(name), "_") {
			continue
		}
		into[where+"/"+name] = renderable{text, scope, where + "/templates"}
	}
	return scope
}

func render(one input) (rendered map[string]string, err error) {
	c := load(one.Files)
	given := integers(one.Values).(values)
	enabled(c, clone(given).(values), "")
	imported(c)
	all := coalesce(c, given)
	version, err := semver.NewVersion(one.KubeVersion)
	if err != nil {
		return nil, err
	}
	shared := values{
		"Release": values{
			"Name": one.Release.Name, "Namespace": one.Release.Namespace, "Revision": 1, "Service": "Helm",
			"IsUpgrade": one.Release.IsUpgrade, "IsInstall": !one.Release.IsUpgrade,
		},
		"Capabilities": &capabilities{
			KubeVersion: kubeVersion{one.KubeVersion, strconv.FormatUint(version.Major(), 10), strconv.FormatUint(version.Minor(), 10)},
			APIVersions: one.APIVersions,
		},
	}
	templates := map[string]renderable{}
	collect(c, c.meta.Name, true, all, shared, templates)
	names := []string{}
	for name := range templates {
		names = append(names, name)
	}
	sort.Slice(names, func(i, j int) bool {
		a, b := strings.Count(names[i], "/"), strings.Count(names[j], "/")
		if a == b {
			return names[i] > names[j]
		}
		return a > b
	})
	set := template.New("gotpl").Option("missingkey=zero").Funcs(functions())
	set.Funcs(template.FuncMap{"include": fmt.Sprint, "tpl": fmt.Sprint})
	bind(set)
	for _, name := range names {
		if _, err := set.New(name).Parse(templates[name].text); err != nil {
			return nil, err
		}
	}
	rendered = map[string]string{}
	for _, name := range names {
		if strings.HasPrefix(path.Base(name), "_") {
			continue
		}
		one := templates[name]
		one.scope["Template"] = values{"Name": name, "BasePath": one.base}
		var text strings.Builder
		if err := set.ExecuteTemplate(&text, name, one.scope); err != nil {
			return nil, err
		}
		rendered[name] = strings.ReplaceAll(text.String(), "<no value>", "")
	}
	return rendered, nil
}

// integers makes int64 of what the command line has given as such: JSON has none.
func integers(value interface{}) interface{} {
	switch v := value.(type) {
	case values:
		if text, ok := v["$int64"].(string); ok && len(v) == 1 {
			number, _ := strconv.ParseInt(text, 10, 64)
			return number
		}
		for key, one := range v {
			v[key] = integers(one)
		}
	case []interface{}:
		for at, one := range v {
			v[at] = integers(one)
		}
	}
	return value
}

func renderChart(one input) output {
	if one.Values == nil {
		one.Values = values{}
	}
	rendered, err := render(one)
	if err != nil {
		return output{Name: one.Name, Error: err.Error()}
	}
	return output{Name: one.Name, Rendered: rendered}
}

// charts renders charts, each from a line of JSON with its files and values.
func charts() {
	eachLine(func(text []byte) interface{} {
		var one input
		decode(text, &one)
		return renderChart(one)
	})
}
