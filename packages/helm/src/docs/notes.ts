/** What is different from Helm's, by command; commands without a note do what Helm's do. */
export const COMMAND_NOTES: Readonly<Record<string, string>> = {
  create: "the scaffold is our own, with the same files; `--starter` is refused",
  "dependency build":
    "the versions of the lock are compared with `Chart.yaml`, its digest is not; without a lock it is an update",
  "dependency update":
    "`--skip-refresh` changes nothing: indexes are fetched for URLs, and cached ones are used for names",
  diff: "not in Helm: what an upgrade would change, object by object; values of Secrets are hidden",
  "explain values": "not in Helm: where each value is set, and where templates use it",
  "get all": "`--template` sees the release as it is stored, under `.Release`",
  "get hooks": "`--template` sees the release as it is stored, under `.Release`",
  install:
    "`--server-side` is off unless asked for; `--dry-run` asks the cluster for its versions and for `lookup`; refused: `--post-renderer`, `--force`, `--cleanup-on-fail`, `--name-template`, `--hide-secret`, `--dependency-update`, `--verify` and certificates in files. A name whose command was killed is installed again",
  lint: "messages are our own; what is checked: `Chart.yaml`, values and their schema, templates, and that what they give are objects with a kind, an apiVersion and a name",
  list: "`--selector` is not there",
  package: "the same files give the same bytes; refused: `--sign`, `--dependency-update`",
  pull: "refused: `--prov`, `--verify`, certificates in files",
  push: "provenance files are not pushed; refused: certificates in files",
  "repo add": "refused: certificates in files, `--password-stdin`",
  rollback: "an interrupted release is rolled back, too; `--force`, `--cleanup-on-fail` are refused",
  "show all": "`--jsonpath` is not there",
  "show values": "`--jsonpath` is not there",
  template:
    "values with a key that stands twice are an error; errors show the line of the template and the values that it names; refused: `--validate`, `--release-name`, `--post-renderer`, `--dependency-update`",
  "repo update": "`--timeout` is refused",
  test: "`--logs` is refused",
  uninstall: "also ends what was interrupted",
  upgrade: "as `install`; an interrupted release is taken over instead of refused",
  version: "the version whose words these are",
};

/** Functions of templates that differ from those of Helm. */
export const FUNCTION_NOTES: Readonly<Record<string, string>> = {
  date: "zones that Intl has no letters for are shown as offsets",
  fail: "the text is shown alone, with the line",
  genPrivateKey: "keys of type dsa are refused",
  getHostByName: "refused: names are not looked up while a chart is rendered",
  include: "400 deep instead of 1,000",
  indent: "texts of more than 64 MiB are refused, by all functions that can make them",
  keys: "in the order in which they were set; Helm's order is random",
  regexMatch: "expressions of more than 10,000 characters are refused",
  shuffle: "random by the system's generator",
  until: "lists of more than 1,000,000 items are refused, by all functions that can make them",
  values: "in the order in which they were set; Helm's order is random",
};

/** Parts of charts and of releases: what, state, note. */
export const PARTS: readonly (readonly [string, "works" | "differs" | "refused", string])[] = [
  [
    "charts of API version 1 and 2, as folders and archives",
    "works",
    "archives are bounded: 5 MiB a file, 100 MiB and 10,000 files in all, no links, no names that lead outside",
  ],
  ["`.helmignore`", "works", ""],
  [
    "values: files, `--set` and its kin, null takes a default away, globals",
    "differs",
    "a key that stands twice in a file is an error; Helm takes the last one",
  ],
  ["dependencies: conditions, tags, aliases, `import-values`, library charts", "works", ""],
  [
    "`values.schema.json`: draft 7, 2019-09, 2020-12",
    "differs",
    "messages are ajv's; other documents are not fetched; formats are not checked",
  ],
  ["`crds/`", "works", "made where they are not there; never changed"],
  [
    "order of kinds, hooks, weights, deletion policies, tests",
    "works",
    "logs of hooks (`helm.sh/hook-output-log-policy`) are not shown",
  ],
  ["`helm.sh/resource-policy: keep`", "works", ""],
  ["ownership marks, `--take-ownership`", "works", ""],
  ["three-way strategic patches; server-side apply", "works", ""],
  [
    "`--wait` by readiness of built-in kinds, custom resources by their conditions",
    "works",
    "by events; `--wait=hookOnly` and `--wait=legacy` are taken as off and on",
  ],
  ["`--atomic`, `--rollback-on-failure`", "works", ""],
  [
    "releases in Secrets, as Helm 3 and 4 keep them",
    "works",
    "one that outgrows a Secret is cut into several, which Helm cannot read",
  ],
  [
    "an operation that was killed",
    "differs",
    "Helm refuses to go on; here a Lease says whether its process lives, and the next command takes the release over",
  ],
  ["templates that never end", "differs", "5,000,000 steps and 64 MiB of text, then an error"],
  ["repositories: index files, cached by ETag, digests compared", "works", "50 MiB at most"],
  ["registries: charts as OCI artifacts", "works", "credentials are those of `boxship login` and `docker login`"],
  ["provenance (OpenPGP)", "refused", "`--sign`, `--verify`, `verify`"],
  [
    "`Chart.lock`",
    "differs",
    "its digest is of our own making: Helm takes such a lock for an old one; here the versions in it are compared",
  ],
  ["plugins, post-renderers", "refused", ""],
  ["storage in ConfigMaps or SQL (`HELM_DRIVER`)", "differs", "the variable is not read: releases are in Secrets"],
];
