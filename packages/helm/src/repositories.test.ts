import { deepEqual, equal, match, ok } from "node:assert/strict";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { createServer as createTlsServer } from "node:https";
import type { AddressInfo } from "node:net";
import { after, before, describe, test } from "node:test";
import { etcdCertificates, startRegistry, type TempDir, type TestRegistry, tempDir } from "@boxship/testkit";
import { type Ran, runHere, writeFiles } from "./testing/chart-cases.ts";

describe("charts from repositories and registries", () => {
  const stack = new AsyncDisposableStack();
  const files = new Map<string, Buffer>();
  const asked: string[] = [];
  let home: TempDir;
  let url = "";
  let registry: TestRegistry;
  before(async () => {
    home = stack.use(tempDir("helm"));
    registry = stack.use(await startRegistry());
    const server = createServer((request, response) => {
      const body = files.get(request.url ?? "");
      const etag = `"${createHash("sha256")
        .update(body ?? "")
        .digest("hex")}"`;
      const known = request.headers["if-none-match"] === etag;
      asked.push(`${request.url} ${known ? 304 : body === undefined ? 404 : 200}`);
      response.writeHead(known ? 304 : body === undefined ? 404 : 200, { etag }).end(known ? undefined : body);
    });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    stack.defer(async () => {
      server.closeAllConnections();
      server.close();
    });
    url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    for (const version of ["1.0.0", "1.2.0", "2.0.0-rc.1"]) {
      writeFiles(
        home.path,
        new Map([
          [
            "web/Chart.yaml",
            `{apiVersion: v2, name: web, version: ${version}, appVersion: "7", description: a web server}`,
          ],
          ["web/templates/cm.yaml", "{apiVersion: v1, kind: ConfigMap, metadata: {name: web-{{ .Chart.Version }}}}"],
        ]),
      );
      await done(`package ${home.join("web")} -d ${home.path}`);
      files.set(`/charts/web-${version}.tgz`, readFileSync(home.join(`web-${version}.tgz`)));
    }
    files.set("/index.yaml", Buffer.from(JSON.stringify(index())));
  });
  after(() => stack.disposeAsync());

  const helm = (line: string, input = ""): Promise<Ran> => {
    const env = { HOME: home.path, HELM_CONFIG_HOME: home.join("config"), HELM_CACHE_HOME: home.join("cache") };
    return runHere(line.split(" "), env, { input });
  };
  const done = async (line: string): Promise<string> => {
    const { status, stdout, stderr } = await helm(line);
    equal(status, 0, `${line}: ${stderr}`);
    return stdout;
  };
  const index = (digest?: string) => ({
    apiVersion: "v1",
    entries: {
      web: ["1.0.0", "2.0.0-rc.1", "1.2.0"].map((version) => ({
        name: "web",
        version,
        appVersion: "7",
        description: "a web server",
        urls: [`charts/web-${version}.tgz`],
        digest:
          digest ??
          createHash("sha256")
            .update(files.get(`/charts/web-${version}.tgz`) ?? "")
            .digest("hex"),
      })),
    },
  });

  test("a repository is noted, searched, updated when it changed, and forgotten", async () => {
    equal(await done(`repo add mine ${url}`), '"mine" has been added to your repositories\n');
    match(await done("repo list"), new RegExp(`NAME\\s+URL\\s*\\nmine\\s+${url}`));
    match(await done("search repo web"), /mine\/web\s+1\.2\.0\s+7\s+a web server/);
    equal((JSON.parse(await done("search repo web --versions --devel -o json")) as unknown[]).length, 3);
    asked.length = 0;
    match(await done("repo update"), /got an update from the "mine" chart repository/);
    deepEqual(asked, ["/index.yaml 304"]);
    match(await done("template r mine/web"), /name: web-1\.2\.0/);
    match(await done("template r mine/web --version ^1.0.0,<1.1"), /name: web-1\.0\.0/);
    match(await done(`template r web --repo ${url} --devel`), /name: web-2\.0\.0-rc\.1/);
    match(await done(`template r ${url}/charts/web-1.0.0.tgz`), /name: web-1\.0\.0/);
    await done(`pull mine/web --version 1.0.0 --untar -d ${home.join("pulled")}`);
    match(readFileSync(home.join("pulled/web/Chart.yaml"), "utf8"), /version: 1\.0\.0/);
    match((await helm("pull mine/none")).stderr, /chart "none" not found/);
    match((await helm("pull mine/web --version 9")).stderr, /matching 9 not found/);
    equal(await done("repo remove mine"), '"mine" has been removed from your repositories\n');
    match((await helm("pull mine/web")).stderr, /repo mine not found/);
  });

  test("a repository that lies about a digest, or has none at all, is told", async () => {
    files.set(
      "/lies/index.yaml",
      Buffer.from(JSON.stringify(index("0".repeat(64))).replaceAll("charts/web", "../charts/web")),
    );
    await done(`repo add lies ${url}/lies`);
    match((await helm("pull lies/web")).stderr, /is not what the index says: its digest is [\da-f]{64}, not 0{64}/);
    match((await helm(`repo add none ${url}/none`)).stderr, /failed to fetch .* 404/);
    files.set("/page/index.yaml", Buffer.from("<html>hello</html>"));
    match((await helm(`repo add page ${url}/page`)).stderr, /no API version specified/);
    files.set("/flow/index.yaml", Buffer.from("{apiVersion: v1, entries: {}}"));
    await done(`repo add flow ${url}/flow`);
    files.set("/cut/index.yaml", Buffer.from('{"apiVersion": "v1", "entr'));
    match((await helm(`repo add cut ${url}/cut`)).stderr, /^Error: .*\/cut\/index\.yaml: /);
    files.set("/huge/index.yaml", Buffer.alloc(51 * 1024 * 1024, " "));
    match((await helm(`repo add huge ${url}/huge`)).stderr, /is larger than 52428800 bytes/);
    ok(!(await done("repo list")).includes("huge"));
  });

  test("a chart goes to a stock registry and comes back", async () => {
    const pushed = await done(`push ${home.join("web-1.2.0.tgz")} oci://${registry.host}/charts`);
    match(pushed, new RegExp(`Pushed: ${registry.host}/charts/web:1\\.2\\.0\\nDigest: sha256:[\\da-f]{64}\\n`));
    await done(`push ${home.join("web-1.0.0.tgz")} oci://${registry.host}/charts`);
    match(await done(`template r oci://${registry.host}/charts/web`), /name: web-1\.2\.0/);
    match(await done(`template r oci://${registry.host}/charts/web --version 1.0.0`), /name: web-1\.0\.0/);
    await done(`pull oci://${registry.host}/charts/web --version ~1.0 -d ${home.join("back")}`);
    deepEqual(readFileSync(home.join("back/web-1.0.0.tgz")), readFileSync(home.join("web-1.0.0.tgz")));
    match((await helm(`pull oci://${registry.host}/charts/none --version 1.0.0`)).stderr, /not found|unknown/i);
  });

  test("dependencies are fetched from everywhere, and locked", async () => {
    const place = (name: string, version: string, repository: string, more = "") =>
      `{name: ${name}, version: "${version}", repository: "${repository}"${more}}`;
    const wanted = [
      place("web", "^1.1.0", url),
      place("near", "1.x", "file://../near"),
      place("web", "~1.0.0", `oci://${registry.host}/charts`, ", alias: other"),
    ];
    writeFiles(
      home.path,
      new Map([
        ["top/Chart.yaml", `{apiVersion: v2, name: top, version: 1.0.0, dependencies: [${wanted.join(", ")}]}`],
        ["near/Chart.yaml", "{apiVersion: v2, name: near, version: 1.5.0}"],
        ["near/templates/cm.yaml", "{apiVersion: v1, kind: ConfigMap, metadata: {name: near}}"],
      ]),
    );
    const top = home.join("top");
    match((await helm(`template r ${top}`)).stderr, /missing in charts\/ directory: web, near, web/);
    equal(await done(`dependency update ${top}`), "Saved 3 charts\n");
    match(
      readFileSync(home.join("top/Chart.lock"), "utf8"),
      /- name: web\n {2}repository: http.*\n {2}version: 1\.2\.0\n/,
    );
    match(await done(`dependency list ${top}`), /near\s+1\.x\s+file:\/\/\.\.\/near\s+ok/);
    const rendered = await done(`template r ${top}`);
    for (const name of ["web-1.2.0", "near", "web-1.0.0"]) match(rendered, new RegExp(`name: ${name}\\b`));
    equal(await done(`dependency build ${top}`), "Saved 3 charts\n");
    writeFiles(home.path, new Map([["near/Chart.yaml", "{apiVersion: v2, name: near, version: 2.0.0}"]]));
    match((await helm(`dependency update ${top}`)).stderr, /dependency near: version 2\.0\.0 does not fit 1\.x/);
    writeFiles(
      home.path,
      new Map([["top/Chart.yaml", `{apiVersion: v2, name: top, version: 1.0.0, dependencies: [${wanted[0]}]}`]]),
    );
    match((await helm(`dependency build ${top}`)).stderr, /lock file \(Chart\.lock\) is out of sync/);
  });

  test("a repository with certificates of its own is reached with them, and the password stays with it", async () => {
    await using place = tempDir("helm-tls");
    await etcdCertificates(place);
    const at = (name: string): string => place.join(name);
    const seen: string[] = [];
    const options = {
      cert: readFileSync(at("server.pem")),
      key: readFileSync(at("server.key")),
      ca: readFileSync(at("ca.pem")),
      requestCert: true,
    };
    const server = createTlsServer(options, (request, response) => {
      seen.push(`${request.url} ${request.headers.authorization === undefined ? "nobody" : "somebody"}`);
      if (request.url?.startsWith("/away") === true) response.writeHead(302, { location: `${url}/index.yaml` }).end();
      else response.end(files.get(request.url ?? ""));
    });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    try {
      const safe = `https://127.0.0.1:${(server.address() as AddressInfo).port}`;
      const words = `repo add safe ${safe} --username me --password-stdin --ca-file ${at("ca.pem")}`;
      match((await helm(`repo add safe ${safe}`)).stderr, /cannot reach .*(certificate|issuer)/);
      match((await helm(`${words} --cert-file ${at("none")}`)).stderr, /cannot read .*none/);
      const pair = `--cert-file ${at("client.pem")} --key-file ${at("client.key")}`;
      const added = await helm(`${words} ${pair}`, "pass\n");
      deepEqual([added.status, seen], [0, ["/index.yaml somebody"]], added.stderr);
      match(await done("template r safe/web"), /name: web-1\.2\.0/);
      match((await helm(`repo add away ${safe}/away --insecure-skip-tls-verify ${pair}`)).stderr, /which is not safe/);
      await done("repo remove safe");
    } finally {
      server.closeAllConnections();
      server.close();
    }
  });

  test("a registry with a certificate of its own is reached with it, and not without", async () => {
    await using place = tempDir("helm-tls");
    await etcdCertificates(place);
    const tls = { certificate: place.join("server.pem"), key: place.join("server.key") };
    await using safe = await startRegistry({ tls });
    const push = `push ${home.join("web-1.2.0.tgz")} oci://${safe.host}/charts`;
    match((await helm(`${push} --ca-file ${place.join("client.pem")}`)).stderr, /certificate|issuer/);
    await done(`${push} --ca-file ${place.join("ca.pem")}`);
    const chart = `oci://${safe.host}/charts/web`;
    match(await done(`template r ${chart} --ca-file ${place.join("ca.pem")}`), /name: web-1\.2\.0/);
    match(await done(`show chart ${chart} --insecure-skip-tls-verify`), /version: 1\.2\.0/);
  });

  test("what is not there is refused by name", async () => {
    for (const words of ["plugin list", "search hub x"]) {
      match((await helm(words)).stderr, /^Error: helm .* is not supported: /);
    }
  });
});
