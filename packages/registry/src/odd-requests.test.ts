import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { after, before, describe, test } from "node:test";
import { startRegistry, type TestRegistry } from "@boxship/testkit";
import { hashSync } from "bcryptjs";
import { htpasswdAccess } from "./access/htpasswd-access.ts";
import { rawRequest } from "./testing/raw-request.ts";
import { listenForTest, pushBlob, pushImage, type RegistryUnderTest, sha256 } from "./testing/registry-under-test.ts";

const MANIFEST = "application/vnd.oci.image.manifest.v1+json";
const CONFIG = JSON.stringify({ architecture: "amd64", os: "linux", rootfs: { type: "layers", diff_ids: [] } });

/** What a registry is asked only by somebody who tries what it does; beside Debian's docker-registry where that helps. */
describe("odd requests", () => {
  let under: RegistryUnderTest;
  let stock: TestRegistry;
  let url: string;
  let digest: string;
  let layer: string;
  before(async () => {
    under = await listenForTest();
    stock = await startRegistry();
    ({ url } = under);
    digest = await pushImage(url, "app", "v1");
    layer = sha256("layer of app");
  });
  after(async () => {
    await stock?.[Symbol.asyncDispose]();
    await under?.[Symbol.asyncDispose]();
  });

  const errorOf = async (answer: Response) => {
    const { errors } = (await answer.json()) as { errors: readonly { code: string }[] };
    return [answer.status, errors[0]?.code];
  };
  const put = (to: string, reference: string, body: string, type = MANIFEST) =>
    fetch(`${to}/manifests/${reference}`, { method: "PUT", body, headers: { "content-type": type } });
  const begin = async () => {
    const begun = await fetch(`${url}/app/blobs/uploads/`, { method: "POST" });
    return new URL(begun.headers.get("location") ?? "", url);
  };

  test("old and proxying clients write their requests otherwise", async () => {
    const ask = async (line: string, host = "host: x\r\n") =>
      (await rawRequest(under.port, `${line}\r\n${host}connection: close\r\n\r\n`)).split("\r\n", 1)[0];
    assert.equal(await ask("GET /v2/ HTTP/1.0", ""), "HTTP/1.1 200 OK");
    assert.equal(await ask("GET http://somewhere/v2/app/tags/list?n=1 HTTP/1.1"), "HTTP/1.1 200 OK");
    assert.equal(await ask("GET http://somewhere HTTP/1.1"), "HTTP/1.1 302 Found");
    assert.equal(await ask("OPTIONS * HTTP/1.1"), "HTTP/1.1 404 Not Found");
    assert.equal(await ask("GET /v2/ HTTP/1.1", ""), "HTTP/1.1 400 Bad Request", "a host is needed");
  });

  test("what can be fetched can be asked for without its content", async () => {
    const origin = `http://${under.host}`;
    const paths = [
      ...["/", "/v2/", "/v2/_catalog", "/v2/app/tags/list", `/v2/app/manifests/v1`, `/v2/app/manifests/${digest}`],
      ...[`/v2/app/blobs/${layer}`, `/v2/app/referrers/${digest}`, "/metrics", "/v1/search?q=a", "/ui/"],
      ...["/ui/repository?name=app", "/ui/manifest?name=app&reference=v1", "/ui/style.css"],
      ...["/v2/app/manifests/none", `/v2/app/blobs/${sha256("none")}`, "/v2/app/blobs/x", "/token", "/nothing"],
    ];
    for (const path of paths) {
      const [get, head] = [
        await fetch(origin + path, { redirect: "manual" }),
        await fetch(origin + path, { method: "HEAD", redirect: "manual" }),
      ];
      const said = ({ headers, status }: Response) =>
        [status, headers.get("content-type"), headers.get("docker-content-digest")] as const;
      assert.deepEqual(said(head), said(get), path);
      if (path !== "/metrics")
        assert.equal(head.headers.get("content-length"), get.headers.get("content-length"), path);
      assert.equal(await head.text(), "", path);
      assert.equal(get.headers.get("x-content-type-options"), "nosniff", path);
      await get.text();
    }
    const refused = await fetch(`${origin}/v2/app/tags/list`, { method: "DELETE" });
    assert.deepEqual([refused.status, refused.headers.get("allow")], [405, "GET, HEAD"]);
  });

  test("ranges and conditions that are unusual, wrong or too much", async () => {
    const path = `${url}/app/blobs/${layer}`;
    const size = "layer of app".length;
    const ranges: Readonly<Record<string, readonly [number, string | null]>> = {
      "bytes=0-0": [206, `bytes 0-0/${size}`],
      "bytes=-1": [206, `bytes ${size - 1}-${size - 1}/${size}`],
      "bytes=-99": [206, `bytes 0-${size - 1}/${size}`],
      "bytes=2-99999999999999": [206, `bytes 2-${size - 1}/${size}`],
      "bytes=-0": [416, `bytes */${size}`],
      [`bytes=${size}-`]: [416, `bytes */${size}`],
      "bytes=5-1": [200, null],
      "bytes=0-0,2-3": [200, null],
      "bytes=99999999999999999999-": [200, null],
      "items=0-1": [200, null],
      "bytes=-": [200, null],
    };
    for (const [range, expected] of Object.entries(ranges)) {
      const answer = await fetch(path, { headers: { range } });
      assert.deepEqual([answer.status, answer.headers.get("content-range")], expected, range);
      if (answer.status === 200) assert.equal(await answer.text(), "layer of app", range);
    }
    const head = await fetch(path, { method: "HEAD", headers: { range: "bytes=0-1" } });
    assert.deepEqual([head.status, head.headers.get("content-length")], [200, String(size)]);
    for (const [address, etag] of [
      [path, `"${layer}"`],
      [`${url}/app/manifests/v1`, `"${digest}"`],
    ] as const) {
      const status = async (known: string) => (await fetch(address, { headers: { "if-none-match": known } })).status;
      for (const known of [etag, `W/${etag}`, `"x", ${etag}`, "*"]) assert.equal(await status(known), 304, known);
      for (const known of ["x", '"x", "y"', etag.replaceAll('"', "")]) assert.equal(await status(known), 200, known);
    }
  });

  test("pieces that are not as long as they say are refused, and nothing of them stays", async () => {
    const patch = async (at: URL, range: string, body: string) =>
      fetch(at, { method: "PATCH", body, headers: { "content-range": range } });
    const at = await begin();
    assert.deepEqual(await errorOf(await patch(at, "0-99", "abc")), [400, "SIZE_INVALID"]);
    assert.deepEqual(await errorOf(await patch(at, "0-1", "abc")), [400, "SIZE_INVALID"]);
    for (const range of ["3-1", "-1-2", "a-b", "0-", "99999999999999999999-3", "0-2, 3-4"]) {
      assert.deepEqual(await errorOf(await patch(at, range, "abc")), [416, "BLOB_UPLOAD_INVALID"], range);
    }
    assert.equal((await fetch(at)).headers.get("range"), "0-0");
    assert.equal((await patch(at, "bytes 0-2/*", "abc")).status, 202);
    at.searchParams.set("digest", sha256("abcd"));
    const last = await fetch(at, { method: "PUT", body: "d", headers: { "content-range": "3-9" } });
    assert.deepEqual(await errorOf(last), [400, "SIZE_INVALID"]);
    assert.equal((await fetch(at, { method: "PUT", body: "d", headers: { "content-range": "3-3" } })).status, 201);
  });

  test("names and tags are as long and as plain as the stock registry's", async () => {
    const names = ["a".repeat(255), "a".repeat(256), `${"a/".repeat(127)}a`, "Upper", "a_b", "a__b", "a___b", "a--b"];
    names.push("a.b", "a..b", "-a", "a-", "a//b", "é", "a%2fb", "%61", "a%00b", "library/..%2f..%2fetc");
    for (const name of names) {
      const [ours, theirs] = await Promise.all(
        [url, `${stock.url}/v2`].map(async (to) => (await fetch(`${to}/${name}/manifests/v1`)).status),
      );
      // A name that is none is 400 here; the stock registry's router does not find it, or sends elsewhere.
      const valid = /^a+$|^[a_./b-]+$/.test(name) && !/^-|-$|___|\.\.|\/\//.test(name) && name.length <= 255;
      if (valid) assert.deepEqual([ours, theirs], [404, 404], name);
      else assert.ok((ours === 400 || ours === 404) && theirs !== 200, `${name}: ${ours}, ${theirs}`);
    }
    const text = await (await fetch(`${url}/app/manifests/v1`)).text();
    await pushImage(`${stock.url}/v2`, "app", "v1");
    for (const tag of ["t".repeat(128), "t".repeat(129), "_t", ".t", "-t", "T.t-t_t", "t+t", "t%2ft"]) {
      const [ours, theirs] = await Promise.all(
        [`${url}/app`, `${stock.url}/v2/app`].map(async (to) => (await put(to, tag, text)).status),
      );
      const valid = /^\w[\w.-]{0,127}$/.test(tag);
      assert.deepEqual([ours === 201, theirs === 201], [valid, valid], `${tag}: ${ours}, ${theirs}`);
    }
  });

  test("manifests by other digests; what is of no known algorithm is refused", async () => {
    const text = await (await fetch(`${url}/app/manifests/v1`)).text();
    for (const algorithm of ["sha384", "sha512"]) {
      const long = `${algorithm}:${createHash(algorithm).update(text).digest("hex")}`;
      assert.equal((await put(`${url}/app`, long, text)).status, 201);
      const pulled = await fetch(`${url}/app/manifests/${long}`);
      assert.deepEqual([pulled.headers.get("docker-content-digest"), await pulled.text()], [long, text]);
    }
    const others = ["md5:d41d8cd98f00b204e9800998ecf8427e", "sha256:", `SHA256:${"a".repeat(64)}`, "sha256+b64:aGk="];
    for (const unknown of [...others, `sha256:${"A".repeat(64)}`, `sha512:${"a".repeat(64)}`]) {
      const [status] = await errorOf(await put(`${url}/app`, encodeURIComponent(unknown), text));
      assert.equal(status, 400, unknown);
      const answer = await fetch(`${url}/app/blobs/${encodeURIComponent(unknown)}`);
      assert.deepEqual(await errorOf(answer), [400, "DIGEST_INVALID"], unknown);
    }
  });

  test("manifests that are two things at once, or of no kind", async () => {
    const size = CONFIG.length;
    const config = { mediaType: "application/vnd.oci.image.config.v1+json", digest: sha256(CONFIG), size };
    const missing = { mediaType: "application/vnd.oci.image.layer.v1.tar", digest: sha256("missing"), size: 7 };
    const theirs = `${stock.url}/v2`;
    for (const to of [url, theirs]) await pushBlob(to, "twice", CONFIG);
    const statuses = async (text: string, type = MANIFEST) =>
      Promise.all([url, theirs].map(async (to) => (await put(`${to}/twice`, "v1", text, type)).status));
    const document = (...fields: readonly string[]) =>
      `{"schemaVersion":2,"mediaType":"${MANIFEST}","config":${JSON.stringify(config)},${fields.join(",")}}`;
    const broken = `"layers":[${JSON.stringify(missing)}]`;
    // Readers differ in which of two keys counts: the stock registry takes the last one, here such a document is refused.
    assert.deepEqual(await statuses(document(broken, '"layers":[]')), [400, 201]);
    assert.deepEqual(await statuses(document('"layers":[]', broken)), [400, 400]);
    assert.deepEqual(await statuses(document('"layers":[]', '"annotations":{"a":"1","a":"2"}')), [400, 201]);
    assert.deepEqual(await statuses(document('"layers":[]')), [201, 201]);
    assert.deepEqual(await statuses(document('"layers":[]', '"manifests":[]')), [400, 400], "an index, too");
    for (const type of ["text/html", "image/svg+xml"]) {
      assert.equal((await put(`${url}/twice`, "v1", document('"layers":[]'), type)).status, 400, type);
    }
    const foreign = "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip";
    const elsewhere = { ...missing, mediaType: foreign, urls: ["https://elsewhere.example/layer"] };
    const docker = "application/vnd.docker.distribution.manifest.v2+json";
    const windows = (only: object) => {
      const image = { ...config, mediaType: "application/vnd.docker.container.image.v1+json" };
      return JSON.stringify({ schemaVersion: 2, mediaType: docker, config: image, layers: [only] });
    };
    assert.equal((await put(`${url}/twice`, "windows", windows(elsewhere), docker)).status, 201);
    const here = { ...elsewhere, mediaType: "application/vnd.docker.image.rootfs.diff.tar.gzip" };
    assert.equal((await put(`${url}/twice`, "windows", windows(here), docker)).status, 400, "only foreign layers");
    const many = Array.from({ length: 250_000 }, (_, n) => `"${n}":""`).join(",");
    // Each would hold the server for a part of a second.
    for (const dear of [
      "[".repeat(3_000_000),
      `{"annotations":${'{"a":'.repeat(500_000)}1${"}".repeat(500_001)}`,
      document('"layers":[]', `"annotations":{${many}}`),
    ]) {
      assert.equal((await put(`${url}/twice`, "dear", dear)).status, 400);
    }
  });

  test("what referrers are told of with is bounded, each and together", async () => {
    const config = {
      mediaType: "application/vnd.oci.image.config.v1+json",
      digest: sha256(CONFIG),
      size: CONFIG.length,
    };
    const subject = { mediaType: MANIFEST, digest: sha256("about"), size: 5 };
    const about = (name: string, size: number, type = "a") => {
      const annotations = { name, text: "x".repeat(size) };
      const artifactType = `application/vnd.${type}`;
      return JSON.stringify({
        schemaVersion: 2,
        mediaType: MANIFEST,
        artifactType,
        config,
        layers: [],
        subject,
        annotations,
      });
    };
    await pushBlob(url, "told", CONFIG);
    const refused = await put(`${url}/told`, "much", about("much", 300_000));
    assert.equal(refused.status, 400);
    assert.match(await refused.text(), /300\d\d\d characters of annotations/);
    const names = Array.from({ length: 20 }, (_, n) => `r${n}`);
    for (const [n, name] of names.entries()) {
      assert.equal((await put(`${url}/told`, name, about(name, 250_000, n % 2 === 0 ? "a" : "b"))).status, 201);
    }
    for (const [query, wanted] of [
      ["", names],
      ["?artifactType=application/vnd.b", names.filter((_, n) => n % 2 === 1)],
    ] as const) {
      const [told, sizes]: [string[], number[]] = [[], []];
      for (let next: string | undefined = `/v2/told/referrers/${sha256("about")}${query}`; next !== undefined; ) {
        const answer = await fetch(new URL(next, url));
        const text = await answer.text();
        const { manifests } = JSON.parse(text) as { manifests: { annotations: { name: string } }[] };
        told.push(...manifests.map(({ annotations }) => annotations.name));
        sizes.push(text.length);
        next = /<(.*)>; rel="next"/.exec(answer.headers.get("link") ?? "")?.[1];
      }
      assert.deepEqual(told.toSorted(), wanted.toSorted());
      assert.ok(Math.max(...sizes) < 3.2 * 1024 * 1024, String(sizes));
      assert.equal(sizes.length, query === "" ? 2 : 1);
    }
  });

  test("lists take any page that is asked for, and no links out of it", async () => {
    for (const query of ["n=1000000000", "n=-1", "n=1e3", "n=%00", "n="]) {
      assert.equal((await fetch(`${url}/_catalog?${query}`)).status, 400, query);
    }
    for (const query of [
      "n=999999999",
      "last=%ff%fe",
      "last=%00",
      "last=zzz&n=1",
      `last=${"a".repeat(10_000)}`,
      "n=0",
    ]) {
      const answer = await fetch(`${url}/_catalog?${query}`);
      assert.deepEqual([answer.status, answer.headers.get("link")], [200, null], query);
    }
    const text = await (await fetch(`${url}/app/manifests/v1`)).text();
    for (let first = 0; first < 10_100; first += 100) {
      const tags = Array.from({ length: 100 }, (_, n) => `tag=many${first + n}`).join("&");
      await put(`${url}/app`, `${digest}?${tags}`, text);
    }
    for (const query of ["", "?n=999999999"]) {
      const whole = await fetch(`${url}/app/tags/list${query}`);
      assert.equal(((await whole.json()) as { tags: string[] }).tags.length, 10_000);
      const [, next] = /<(.*)>; rel="next"/.exec(whole.headers.get("link") ?? "") ?? [];
      const rest = (await (await fetch(new URL(next ?? "", url))).json()) as { tags: string[] };
      assert.deepEqual([rest.tags.length >= 100, rest.tags.at(-1)], [true, "v1"]);
    }
    const type = encodeURIComponent(`x"\r\nset-cookie: a=b\r\n${"y".repeat(5000)}`);
    const filtered = await fetch(`${url}/app/referrers/${digest}?artifactType=${type}`);
    assert.deepEqual([filtered.status, filtered.headers.get("set-cookie")], [200, null]);
  });
});

test("nobody learns of what he may not read, nor gets it by a mount", async () => {
  const htpasswd = ["ann", "bob"].map((name) => `${name}:${hashSync(name, 4)}\n`).join("");
  const rules = [
    { users: ["ann"], actions: ["pull", "push", "delete"] as const },
    { users: ["bob"], repositories: ["bob/*"], actions: ["pull", "push"] as const },
  ];
  await using under = await listenForTest({ access: htpasswdAccess({ htpasswd, rules }) });
  const { url } = under;
  const as = (name: string) => ({ authorization: `Basic ${Buffer.from(`${name}:${name}`).toString("base64")}` });
  const secret = sha256("secret");
  const post = await fetch(`${url}/ann/secret/blobs/uploads/?digest=${secret}`, {
    method: "POST",
    body: "secret",
    headers: as("ann"),
  });
  assert.equal(post.status, 201);
  const ask = async (path: string, method = "GET") => {
    const answer = await fetch(`${url}/${path}`, { method, headers: as("bob") });
    const text = (await answer.text()).replaceAll("nothing", "secret");
    return [answer.status, text.replaceAll(/[0-9a-f-]{36}/g, "ID"), answer.headers.get("docker-content-digest")];
  };
  for (const path of [`blobs/${secret}`, "manifests/v1", "tags/list", `referrers/${secret}`]) {
    const [there, notThere] = [await ask(`ann/secret/${path}`), await ask(`ann/nothing/${path}`)];
    assert.deepEqual(there, notThere, path);
    assert.equal(there[0], 403);
  }
  const mounts = `bob/app/blobs/uploads/?mount=${secret}&from=ann`;
  const mounted = await ask(`${mounts}/secret`, "POST");
  assert.deepEqual(mounted, await ask(`${mounts}/nothing`, "POST"));
  assert.equal(mounted[0], 202);
  assert.equal((await ask(`bob/app/blobs/${secret}`))[0], 404);
  assert.deepEqual((await ask("_catalog"))[1], '{"repositories":[]}');
  const challenge = async (headers: Readonly<Record<string, string>>) => {
    const answer = await fetch(`${url}/`, { headers });
    return answer.headers.get("www-authenticate");
  };
  const host = `127.0.0.1:${under.port}`;
  assert.equal(await challenge({}), `Bearer realm="http://${host}/token",service="boxship"`);
  assert.match((await challenge({ "x-forwarded-proto": "https" })) ?? "", /^Bearer realm="https:/, "behind a proxy");
  const injected = await rawRequest(
    under.port,
    'GET /v2/ HTTP/1.1\r\nhost: x",service="y\r\nconnection: close\r\n\r\n',
  );
  assert.match(injected, /realm="http:\/\/localhost\/token",service="boxship"\r/i);
});
