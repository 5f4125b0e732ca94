/** What is different from Helm's, by command; commands without a note do what Helm's do. */
export const COMMAND_NOTES: Readonly<Record<string, string>> = {
  create: "the scaffold is our own, with the same files",
  "crds diff": "not in Helm: what a chart would change in the cluster's definitions; nothing is changed",
  "crds upgrade":
    "not in Helm: refused for versions in which objects are stored and that the chart no longer has, and for what cannot be changed; `install` and `upgrade` do the same with `--upgrade-crds`",
  env: "only the variables that mean something here",
  "dependency update":
    "`--skip-refresh` changes nothing: indexes are fetched for URLs, and cached ones are used for names",
  diff: "not in Helm: what an upgrade would change, object by object; values of Secrets are hidden",
  "explain values": "not in Helm: where each value is set, and where templates use it",
  "get all": "`--template` sees the release as it is stored, under `.Release`",
  "completion bash": "words are completed without descriptions",
  "completion fish": "words are completed without descriptions",
  "completion zsh": "words are completed without descriptions",
  install:
    "`--server-side` is off unless asked for; `--post-renderer` is a program, as in Helm 3; comments do not come through it. A name whose installation failed or was killed is installed again, with the values of this command alone",
  lint: "messages are our own; what is checked: `Chart.yaml`, values and their schema, templates, and that what they give are objects with a kind, an apiVersion and a name",
  package: "the same files give the same bytes; a passphrase comes from `--passphrase-file` alone",
  pull: "for registries, `--cert-file` and `--key-file` are refused",
  push: "refused: `--cert-file`, `--key-file`",
  "registry login":
    "kept where `boxship login` and `docker login` keep theirs; `--cert-file` and `--key-file` are refused",
  rollback: "an interrupted release is rolled back, too; `--recreate-pods` is refused",
  status: "`--show-desc` and `--show-resources` change nothing: both are shown, as in Helm 4",
  template:
    "values with a key that stands twice are an error; errors show the line of the template and the values that it names; `--validate` asks the cluster for its versions, its kinds and for `lookup`, as `--dry-run=server` does",
  test: "hooks of one weight run in the order of kinds, then of names, as Helm's documentation says; Helm goes by names alone",
  uninstall: "also ends what was interrupted",
  upgrade: "as `install`; an interrupted release is taken over instead of refused",
  version: "the version whose words these are",
};

/** Functions of templates that differ from those of Helm. */
export const FUNCTION_NOTES: Readonly<Record<string, string>> = {
  date: "zones that Intl has no letters for are shown as offsets",
  fail: "the text is shown alone, with the line",
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
    "archives are bounded: 5 MiB a file, 100 MiB and 10,000 files in all, no links, no names that lead outside or stand twice",
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
    "messages are ajv's; patterns are Go's, as in Helm; other documents are not fetched; formats are not checked",
  ],
  ["`crds/`", "works", "made where they are not there; changed by `crds upgrade` and `--upgrade-crds` only"],
  [
    "order of kinds, hooks, weights, deletion policies, tests",
    "works",
    "logs by `helm.sh/hook-output-log-policy`, to standard error",
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
  [
    "repositories: index files, cached by ETag, digests compared",
    "differs",
    "50 MiB at most; proxies that the environment names (`HTTPS_PROXY`) are not used",
  ],
  ["registries: charts as OCI artifacts", "works", "credentials are those of `boxship login` and `docker login`"],
  [
    "provenance (OpenPGP): `package --sign`, `verify`, `--verify`, `pull --prov`",
    "works",
    "keys of version 4: RSA, ECDSA, Ed25519, Ed448, subkeys; keyrings as GnuPG exports them, armored or not, no keyboxes; what has expired, was revoked, is foreign or by SHA-1 is refused",
  ],
  ["`Chart.lock`", "works", "with Helm's digest; of charts of API version 1, the versions in it are compared"],
  ["post-renderers", "differs", "programs, as in Helm 3; hooks go through them, too, as in Helm 4"],
  [
    "flags and variables of all commands",
    "differs",
    "refused: `--burst-limit`, `--qps`, `--content-cache`, `--registry-config`, `--color=always`",
  ],
  ["plugins", "refused", ""],
  ["storage in Secrets and in ConfigMaps (`HELM_DRIVER`)", "works", "other drivers are refused by name"],
];
