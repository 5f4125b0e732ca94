import { deepEqual, equal, match, ok } from "node:assert/strict";
import { chmodSync, existsSync, readFileSync, writeFileSync } from "node:fs";
import { after, before, describe, test } from "node:test";
import type { ParsedSet } from "@boxship/base/parse-flags";
import { REGISTRY_USER, runProgram, startRegistry, type TempDir, tempDir } from "@boxship/testkit";
import { clusterFlags } from "./cluster-flags.ts";
import type { Entry } from "./command.ts";
import { table } from "./table.ts";
import { type Ran, runHere, writeFiles } from "./testing/chart-cases.ts";

const CHART = new Map([
  ["web/Chart.yaml", "{apiVersion: v2, name: web, version: 1.0.0}"],
  ["web/templates/a.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {color: red}\n"],
  ["web/templates/b.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: b, annotations: {k: v}}\n"],
  [
    "web/templates/hook.yaml",
    "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: hook, annotations: {helm.sh/hook: pre-install}}\ndata: {color: red}\n",
  ],
  ["web/templates/NOTES.txt", "notes are red\n"],
]);

/** Commands that Helm has not. */
const OWN_COMMANDS = /^(crds .*|diff|explain .*)$/;

describe("commands that need no cluster", () => {
  const stack = new AsyncDisposableStack();
  let home: TempDir;
  before(() => {
    home = stack.use(tempDir("helm"));
    writeFiles(home.path, CHART);
  });
  after(() => stack.disposeAsync());

  const helm = (line: string, options: Parameters<typeof runHere>[2] = {}): Promise<Ran> =>
    runHere(line.split(" "), { HOME: home.path }, options);
  const done = async (line: string, options: Parameters<typeof runHere>[2] = {}): Promise<string> => {
    const { status, stdout, stderr } = await helm(line, options);
    equal(status, 0, `${line}: ${stderr}`);
    return stdout;
  };
  const program = (name: string, text: string): string => {
    writeFileSync(home.join(name), `#!/bin/sh\n${text}\n`);
    chmodSync(home.join(name), 0o755);
    return home.join(name);
  };

  test("a post-renderer changes all objects, hooks as well, and each stays with its template", async () => {
    const recolor = program(
      "recolor",
      'sed "s/red/$1/"; printf -- "---\\napiVersion: v1\\nkind: Secret\\nmetadata: {name: more}\\n"',
    );
    const text = await done(
      `template r ${home.join("web")} --post-renderer ${recolor} --post-renderer-args blue --output-dir ${home.join("out")}`,
    );
    deepEqual([...text.matchAll(/out\/(.+)/g)].map(([, name = ""]) => name).sort(), [
      "generated-by-postrender-0.yaml",
      "web/templates/a.yaml",
      "web/templates/b.yaml",
      "web/templates/hook.yaml",
    ]);
    equal(
      readFileSync(home.join("out/web/templates/a.yaml"), "utf8"),
      "---\n# Source: web/templates/a.yaml\napiVersion: v1\ndata:\n  color: blue\nkind: ConfigMap\nmetadata:\n  name: a\n",
    );
    match(readFileSync(home.join("out/web/templates/b.yaml"), "utf8"), /annotations:\n {4}k: v\n {2}name: b\n$/);
    match(readFileSync(home.join("out/web/templates/hook.yaml"), "utf8"), /color: blue/);
  });

  test("post-renderers that fail, give nothing, give no objects or are not there are told", async () => {
    const fails = async (renderer: string, why: RegExp): Promise<void> => {
      const { status, stderr } = await helm(`template r ${home.join("web")} --post-renderer ${renderer}`);
      equal(status, 1);
      match(stderr, why);
    };
    await fails(program("bad", "echo because >&2; exit 3"), /^because\nError: .*bad: it ended with status 3/);
    await fails(program("empty", "cat >/dev/null"), /empty: it gave nothing/);
    await fails(program("list", "echo '- 1'"), /what the post-renderer gave: it holds no object/);
    await fails(home.join("absent"), /absent: spawn .* ENOENT/);
  });

  test("names are made by a template; output goes below the release's name", async () => {
    match(
      await done(`template ${home.join("web")} --name-template {{"SHOP"|lower}}-1 --show-only templates/a.yaml`),
      /name: a/,
    );
    match((await helm(`template ${home.join("web")} --name-template {{"A"}}`)).stderr, /release name "A" is invalid/);
    match((await helm(`template ${home.join("web")} --name-template {{nope}}`)).stderr, /--name-template: .*nope/);
    await done(`template shop ${home.join("web")} --release-name --output-dir ${home.join("named")}`);
    ok(existsSync(home.join("named/shop/web/templates/a.yaml")));
  });

  test("an index is written of packed charts, merged, and read again", async () => {
    for (const version of ["1.0.0", "1.10.0", "1.9.0"]) {
      await done(
        `package ${home.join("web")} --version ${version} -d ${home.join(version === "1.9.0" ? "repo/old" : "repo")}`,
      );
    }
    equal(await done(`repo index ${home.join("repo")} --url https://charts.example.com/x/`), "");
    const text = readFileSync(home.join("repo/index.yaml"), "utf8");
    deepEqual(
      [...text.matchAll(/^ {4}version: (.*)$/gm)].map(([, version]) => version),
      ["1.10.0", "1.9.0", "1.0.0"],
    );
    match(
      text,
      /^apiVersion: v1\nentries:\n {2}web:\n {2}- apiVersion: v2\n {4}created: .*\n {4}digest: [\da-f]{64}\n {4}name: web\n {4}urls:\n {4}- https:\/\/charts\.example\.com\/x\/web-1\.10\.0\.tgz\n/,
    );
    match(text, /x\/old\/web-1\.9\.0\.tgz/);
    await done(`package ${home.join("web")} --version 2.0.0 -d ${home.join("more")}`);
    await done(`repo index ${home.join("more")} --merge ${home.join("repo/index.yaml")} --json`);
    const merged = JSON.parse(readFileSync(home.join("more/index.yaml"), "utf8")) as {
      readonly entries: { readonly web: readonly { readonly version: string; readonly urls: readonly string[] }[] };
    };
    deepEqual(
      merged.entries.web.map(({ version }) => version),
      ["2.0.0", "1.10.0", "1.9.0", "1.0.0"],
    );
    deepEqual(merged.entries.web[0]?.urls, ["web-2.0.0.tgz"]);
    writeFileSync(home.join("more/cut.tgz"), readFileSync(home.join("more/web-2.0.0.tgz")).subarray(0, 60));
    match((await helm(`repo index ${home.join("more")}`)).stderr, /^Error: cut\.tgz: the chart's archive is damaged: /);
    const absent = home.join("absent.tgz");
    equal(
      (await helm(`push ${absent} oci://127.0.0.1:1/x`)).stderr,
      `Error: open ${absent}: no such file or directory\n`,
    );
    match((await helm(`verify ${absent}`)).stderr, /^Error: could not load .*: open .*: no such file or directory\n/);
  });

  test("every command knows the flags that Helm's has, and no others", async () => {
    const ours: Readonly<Record<string, string>> = {
      "explain values": "",
      install: "--upgrade-crds",
      upgrade: "--upgrade-crds",
      // Helm hides these.
      push: "",
      template: "--dry-run --render-subchart-notes --hide-notes --validate",
    };
    const flagsOf = (set: ParsedSet): string[] =>
      Object.entries(set).map(([name, { short }]) => `${short === undefined ? "" : `-${short},`}--${name}`);
    const lines = readFileSync(new URL("testdata/flags.txt", import.meta.url), "utf8").split("\n");
    const theirs = new Map(lines.map((line) => [line.split(": ")[0] ?? "", line.split(": ")[1] ?? ""]));
    const everywhere = (theirs.get("helm") ?? "").split(" ");
    deepEqual(flagsOf(clusterFlags).sort(), everywhere.toSorted());
    const walk = async (entries: readonly Entry[], above: string): Promise<void> => {
      for (const { name, children, load, raw } of entries) {
        const path = `${above}${name}`;
        if (children !== undefined) await walk(children, `${path} `);
        if (load === undefined || raw === true || OWN_COMMANDS.test(path)) continue;
        const more = (ours[path] ?? "").split(" ");
        const known = flagsOf((await load()).command.flags).filter((flag) => !more.includes(flag));
        const wanted = (theirs.get(path) ?? "").split(" ").filter((flag) => flag !== "" && !more.includes(flag));
        deepEqual(known.sort(), wanted.sort(), path);
      }
    };
    await walk(table, "");
  });

  test("words are completed, and there are scripts that ask for it", async () => {
    const ask = async (line: string) => (await done(`__complete ${line}`)).split("\n").slice(0, -1);
    deepEqual(await ask("up"), ["upgrade"]);
    deepEqual(await ask("dep b"), ["build"]);
    deepEqual(await ask("-n default get val"), ["values"]);
    deepEqual(await ask("install --set-"), ["--set-file", "--set-json", "--set-literal", "--set-string"]);
    deepEqual(await ask("list -o y"), ["yaml"]);
    deepEqual(await ask("install a b --wait=w"), ["--wait=watcher"]);
    deepEqual(await ask("plugin "), []);
    for (const shell of ["bash", "zsh", "fish"]) match(await done(`completion ${shell}`), /helm __complete/);
    writeFileSync(home.join("helm.bash"), await done("completion bash"));
    equal((await runProgram(["bash", "-n", home.join("helm.bash")])).stderr, "");
  });

  test("names have addresses where that was asked for, and none else", async () => {
    const text =
      'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {at: {{ getHostByName "localhost" | quote }}}\n';
    writeFiles(
      home.path,
      new Map([
        ["dns/Chart.yaml", "{apiVersion: v2, name: dns, version: 1.0.0}"],
        ["dns/templates/a.yaml", text],
      ]),
    );
    match(await done(`template r ${home.join("dns")}`), /at: ""/);
    match(await done(`template r ${home.join("dns")} --enable-dns`), /at: "(127\.0\.0\.1|::1)"/);
  });

  test("a dry run needs no cluster", async () => {
    const text = await done(`install shop ${home.join("web")} --dry-run --namespace there`);
    match(
      text,
      /^NAME: shop\nLAST DEPLOYED: .+\nNAMESPACE: there\nSTATUS: pending-install\nREVISION: 1\nDESCRIPTION: Dry run complete\nTEST SUITE: None\nHOOKS:\n---\n# Source: web\/templates\/hook.yaml/,
    );
    match(
      await done(`install shop ${home.join("web")} --dry-run --debug --set a=1`),
      /TEST SUITE: None\nUSER-SUPPLIED VALUES:\na: 1\n\nCOMPUTED VALUES:\na: 1\n\nHOOKS:\n[^]*MANIFEST:\n[^]*NOTES:\n/,
    );
    match(await done(`install shop ${home.join("web")} --dry-run -o json`), /"description":"Dry run complete"/);
    match((await helm(`install shop ${home.join("web")} --dry-run=maybe`)).stderr, /invalid dry-run value \("maybe"\)/);
  });

  test("a chart is begun from a starter", async () => {
    writeFiles(
      home.join(".local/share/helm/starters"),
      new Map([
        ["mine/Chart.yaml", "{apiVersion: v2, name: starter, version: 9.9.9}"],
        ["mine/values.yaml", "who: <CHARTNAME>\n"],
        [
          "mine/templates/a.yaml",
          "{apiVersion: v1, kind: ConfigMap, metadata: {name: <CHARTNAME>-{{ .Values.who }}}}\n",
        ],
        ["mine/README.md", "about <CHARTNAME>\n"],
      ]),
    );
    await done(`create ${home.join("shop")} --starter mine`);
    match(await done(`template r ${home.join("shop")}`), /name: shop-shop/);
    match(readFileSync(home.join("shop/Chart.yaml"), "utf8"), /name: shop\n.*\nversion: 0\.1\.0\n/);
    equal(readFileSync(home.join("shop/README.md"), "utf8"), "about <CHARTNAME>\n");
    match((await helm(`create ${home.join("other")} -p none`)).stderr, /starters\/none" not found/);
  });

  test("charts in a chart are looked at, too; missing ones are fetched before", async () => {
    writeFiles(
      home.path,
      new Map([
        [
          "top/Chart.yaml",
          '{apiVersion: v2, name: top, version: 1.0.0, dependencies: [{name: web, version: ">=1.0.0 <2", repository: "file://../web", tags: [x]}]}',
        ],
        ["top/values.yaml", ""],
      ]),
    );
    match(await done(`template r ${home.join("top")} --dependency-update`), /name: a/);
    match(
      await done(`lint ${home.join("top")} --with-subcharts`),
      /Linting .*top\n[^]*Linting .*charts\/web-1\.0\.0\.tgz\n[^]*2 chart\(s\) linted/,
    );
    // What Helm's own JSON of both gives: `[[wanted],[found]]`, signs of HTML escaped.
    const json = String.raw`[[{"name":"web","version":"\u003e=1.0.0 \u003c2","repository":"file://../web","tags":["x"]}],[{"name":"web","version":"1.0.0","repository":"file://../web"}]]`;
    const { createHash } = await import("node:crypto");
    const lock = readFileSync(home.join("top/Chart.lock"), "utf8");
    match(lock, new RegExp(`digest: sha256:${createHash("sha256").update(json).digest("hex")}\n`));
    await done(`dependency update ${home.join("top")}`);
    equal(readFileSync(home.join("top/Chart.lock"), "utf8"), lock);
    await done(`dependency build ${home.join("top")}`);
    writeFileSync(home.join("top/Chart.lock"), lock.replace(/sha256:../, "sha256:zz"));
    match((await helm(`dependency build ${home.join("top")}`)).stderr, /out of sync/);
    match(await done(`package ${home.join("top")} -u -d ${home.join("packed")}`), /top-1\.0\.0\.tgz/);
  });

  test("values are shown whole, or what a path leads to", async () => {
    writeFiles(
      home.path,
      new Map([
        ["paths/Chart.yaml", "{apiVersion: v2, name: p, version: 1.0.0}"],
        ["paths/values.yaml", "# says\nimage: {tag: '1.2'}\nlist: [{name: a}, {name: b}]\n"],
      ]),
    );
    equal(await done(`show values ${home.join("paths")} --jsonpath {.image.tag}`), "1.2");
    equal(await done(`show values ${home.join("paths")} --jsonpath {.list[*].name}`), "a b");
    match(await done(`show values ${home.join("paths")}`), /^# says\nimage/);
  });

  test("settings are shown; drivers that are not there are refused by name", async () => {
    match(await done("env"), /^HELM_CACHE_HOME=".*\/\.cache\/helm"\n[^]*HELM_NAMESPACE="default"\n/);
    equal(await done("env HELM_DRIVER"), "secret\n");
    const context = await runHere(["env", "HELM_KUBECONTEXT"], { HOME: home.path, HELM_KUBECONTEXT: "far" });
    equal(context.stdout, "far\n");
    const { stderr } = await runHere(["list"], { HOME: home.path, HELM_DRIVER: "sql" });
    match(stderr, /HELM_DRIVER=sql is not supported/);
  });

  test("logins are tried before they are kept", async () => {
    await using registry = await startRegistry({ auth: "htpasswd" });
    const kept: string[] = [];
    const logins = {
      store: async (...all: readonly string[]) => void kept.push(all.join(" ")),
      erase: async (host: string) => void kept.push(`-${host}`),
    };
    const { username, password } = REGISTRY_USER;
    const words = `registry login ${registry.host} --username ${username} --password-stdin`;
    const wrong = await helm(words, { logins, input: "wrong\n" });
    deepEqual([wrong.status, kept], [1, []]);
    match(wrong.stderr, /unauthorized|refused|denied/i);
    const right = await helm(words, { logins, input: `${password}\n` });
    deepEqual([right.status, right.stderr], [0, "Login Succeeded\n"], right.stderr);
    await done(`registry logout oci://${registry.host}`, { logins });
    deepEqual(kept, [`${registry.host} ${username} ${password}`, `-${registry.host}`]);
    match((await helm(`registry login ${registry.host}/path -u x -p y`, { logins })).stderr, /is no registry/);
  });
});
