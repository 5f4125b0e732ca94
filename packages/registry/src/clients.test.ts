import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import type { IncomingMessage } from "node:http";
import { test } from "node:test";
import {
  createRegistryClient,
  credentialsFor,
  decodeManifest,
  type FetchedManifest,
  openContentStore,
  parseReference,
} from "@boxship/oci";
import {
  dockerProgram,
  OLD_DOCKER,
  pushFixture,
  type Ran,
  REGISTRY_USER,
  runProgram,
  startDockerd,
  type TempDir,
  tempDir,
} from "@boxship/testkit";
import { hashSync } from "bcryptjs";
import { htpasswdAccess } from "./access/htpasswd-access.ts";
import { listenForTest, type RegistryUnderTest } from "./testing/registry-under-test.ts";

const { username, password } = REGISTRY_USER;
const credentials = `${username}:${password}`;

/** What a program of somebody else's does with a registry. */
interface Client {
  pull(image: string): Promise<Ran>;
  /** Under another name than it was pulled by. */
  push(image: string, as: string): Promise<Ran>;
}

async function must(running: Promise<Ran>): Promise<string> {
  const { status, stdout, stderr } = await running;
  assert.equal(status, 0, stderr);
  return stdout;
}

function skopeo(directory: TempDir): Client {
  const flags = ["--insecure-policy", "copy", "--quiet", "--preserve-digests"];
  const layout = (image: string) => `oci:${directory.join("skopeo")}:${image.replaceAll(/[^a-z0-9]/g, "-")}`;
  const source = ["--src-tls-verify=false", `--src-creds=${credentials}`];
  const target = ["--dest-tls-verify=false", `--dest-creds=${credentials}`];
  return {
    pull: (image) => runProgram(["skopeo", ...flags, ...source, `docker://${image}`, layout(image)]),
    push: (image, as) => runProgram(["skopeo", ...flags, ...target, layout(image), `docker://${as}`]),
  };
}

/** podman and buildah have the same words for it. */
function containersTool(program: string, directory: TempDir): Client {
  const own = [
    "--root",
    directory.join(program),
    "--runroot",
    directory.join(`${program}-run`),
    "--storage-driver=vfs",
  ];
  const flags = ["--tls-verify=false", `--creds=${credentials}`];
  const run = (...args: readonly string[]) => runProgram([program, ...own, ...args]);
  return {
    pull: (image) => run("pull", ...flags, `docker://${image}`),
    push: (image, as) => run("push", ...flags, image, `docker://${as}`),
  };
}

async function docker(program: string, socket: string, home: string, host: string): Promise<Client> {
  await mkdir(home, { recursive: true });
  const run = (...args: readonly string[]) =>
    runProgram([program, "-H", `unix://${socket}`, ...args], { env: { DOCKER_CONFIG: home, HOME: home } });
  await must(run("login", "--username", username, "--password", password, host));
  return {
    pull: (image) => run("pull", image),
    push: async (image, as) => {
      const tagged = await run("tag", image, as);
      return tagged.status === 0 ? run("push", as) : tagged;
    },
  };
}

/** What a shell script does: a manifest and its blobs, fetched and pushed by hand. */
function curl(directory: TempDir): Client {
  const files = (image: string) => directory.join(`curl-${image.replaceAll(/[^a-z0-9]/g, "-")}`);
  const script = (text: string, image: string, as = "") => {
    const [, host = "", name = "", tag = ""] = /^([^/]+)\/(.+):(.+)$/.exec(as === "" ? image : as) ?? [];
    const env = { D: files(image), URL: `http://${host}/v2/${name}`, TAG: tag, USER_: credentials };
    return runProgram(["sh", "-euc", text], { env });
  };
  const type = "application/vnd.oci.image.manifest.v1+json";
  const blobs = `$(grep -o 'sha256:[0-9a-f]*' $D/manifest | sort -u)`;
  return {
    pull: (image) =>
      script(
        `mkdir -p $D; curl -sSf -u $USER_ -H 'Accept: ${type}' -o $D/manifest $URL/manifests/$TAG
        for b in ${blobs}; do curl -sSfL -u $USER_ -o $D/\${b#*:} $URL/blobs/$b; echo "\${b#*:}  $D/\${b#*:}"; done | sha256sum -c --quiet`,
        image,
      ),
    push: (image, as) =>
      script(
        `for b in ${blobs}; do
          at=$(curl -sSf -u $USER_ -X POST -D - -o /dev/null $URL/blobs/uploads/ | tr -d '\\r' | sed -n 's/^[Ll]ocation: *//p')
          case $at in http*) ;; *) at=\${URL%%/v2/*}$at ;; esac
          case $at in *\\?*) at=$at\\&digest=$b ;; *) at=$at?digest=$b ;; esac
          curl -sSf -u $USER_ -X PUT -H 'Content-Type: application/octet-stream' --data-binary @$D/\${b#*:} "$at"
        done
        curl -sSf -u $USER_ -X PUT -H 'Content-Type: ${type}' --data-binary @$D/manifest $URL/manifests/$TAG`,
        image,
        as,
      ),
  };
}

/** Ours, as the engine uses it. */
async function boxship(directory: TempDir, host: string, stack: AsyncDisposableStack): Promise<Client> {
  const store = stack.use(await openContentStore({ root: directory.join("boxship") }));
  const credentialSource = credentialsFor(host, { kind: "password", username, password });
  const client = stack.use(createRegistryClient({ credentials: credentialSource }));
  const images = new Map<string, FetchedManifest>();
  const blobsOf = ({ bytes }: FetchedManifest) => {
    const manifest = decodeManifest(bytes);
    return manifest.kind === "manifest" ? [manifest.config, ...manifest.layers] : assert.fail();
  };
  const ran = async (work: () => Promise<unknown>): Promise<Ran> => {
    await work();
    return { status: 0, stdout: "", stderr: "" };
  };
  return {
    pull: (image) =>
      ran(async () => {
        const reference = parseReference(image);
        const manifest = await client.manifest(reference);
        images.set(image, manifest);
        await Promise.all(blobsOf(manifest).map((descriptor) => client.fetchBlob({ reference, descriptor, store })));
      }),
    push: (image, as) =>
      ran(async () => {
        const [reference, manifest] = [parseReference(as), images.get(image) ?? assert.fail()];
        await Promise.all(blobsOf(manifest).map((descriptor) => client.pushBlob({ reference, descriptor, store })));
        await client.putManifest(reference, manifest);
      }),
  };
}

/** When each kind of program spoke to a registry, by the beginning of what it calls itself. */
function watchClients({ registry }: RegistryUnderTest): () => readonly (readonly [start: number, end: number])[] {
  const spoken = new Map<string, readonly [number, number]>();
  registry.server.on("request", ({ headers }: IncomingMessage) => {
    const [agent = ""] = (headers["user-agent"] ?? "").split("/");
    const now = performance.now();
    spoken.set(agent.toLowerCase(), [spoken.get(agent.toLowerCase())?.[0] ?? now, now]);
  });
  return () => [...spoken.values()];
}

test("clients of every kind push the same image at once, and pull each other's", { timeout: 300_000 }, async () => {
  const access = htpasswdAccess({ htpasswd: `${username}:${hashSync(password, 4)}` });
  await using under = await listenForTest({ access });
  await using directory = tempDir("clients");
  await using dockerd = await startDockerd({ isolated: false, flags: ["--bridge=none", "--iptables=false"] });
  const { host } = under;
  const layers = [1, 2, 3].map((number) => ({
    entries: [{ name: `file${number}`, content: Buffer.alloc(300_000, `layer ${number} `) }],
  }));
  await pushFixture({ host, auth: "htpasswd" }, "seed/image:v1", { layers });
  const seed = `${host}/seed/image:v1`;

  const clients = new Map<string, Client>([
    ["skopeo", skopeo(directory)],
    ["podman", containersTool("podman", directory)],
    ["buildah", containersTool("buildah", directory)],
    ["curl", curl(directory)],
  ]);
  const dockers = { docker20: OLD_DOCKER, docker28: dockerProgram() ?? "docker" };
  for (const [name, program] of Object.entries(dockers)) {
    if (existsSync(program)) clients.set(name, await docker(program, dockerd.socketPath, directory.join(name), host));
  }
  await using stack = new AsyncDisposableStack();
  clients.set("boxship", await boxship(directory, host, stack));
  const spoken = watchClients(under);
  await Promise.all(
    [...clients].map(async ([name, client]) => {
      await must(client.pull(seed));
      await must(client.push(seed, `${host}/mixed/${name}:v1`));
    }),
  );
  const times = spoken();
  assert.ok(times.length >= 5, "each says who it is");
  const alone = times.filter(([start, end]) => times.filter(([from, to]) => from <= end && to >= start).length === 1);
  assert.ok(alone.length < times.length / 2, "most speak while another one does");
  const names = [...clients.keys()];
  await Promise.all(
    [...clients.values()].map(async (client, index) => {
      await must(client.pull(`${host}/mixed/${names[(index + 1) % names.length]}:v1`));
    }),
  );
  const authorization = `Basic ${Buffer.from(credentials).toString("base64")}`;
  const catalog = await fetch(`${under.url}/_catalog`, { headers: { authorization } });
  const expected = [...names.map((name) => `mixed/${name}`), "seed/image"].sort();
  assert.deepEqual(await catalog.json(), { repositories: expected });
});
