import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { after, before, describe, test } from "node:test";
import { pushBlob, sha256 } from "./registry-under-test.ts";

/** A registry that the suite can push to, delete from and fill with what it likes. */
export interface ConformingRegistry extends AsyncDisposable {
  /** `http://host:port` */
  readonly origin: string;
}

export interface ConformanceOptions {
  readonly name: string;
  readonly start: () => Promise<ConformingRegistry>;
  /** Cases that it is known to fail, with the reason; one that passes all the same fails the suite. @default none */
  readonly differences?: Readonly<Record<string, string>>;
}

const MANIFEST = "application/vnd.oci.image.manifest.v1+json";
const INDEX = "application/vnd.oci.image.index.v1+json";
const DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json";
const EMPTY = { mediaType: "application/vnd.oci.empty.v1+json", digest: sha256("{}"), size: 2 };
const CODES = new Set(
  `BLOB_UNKNOWN BLOB_UPLOAD_INVALID BLOB_UPLOAD_UNKNOWN DIGEST_INVALID MANIFEST_BLOB_UNKNOWN MANIFEST_INVALID
  MANIFEST_UNKNOWN NAME_INVALID NAME_UNKNOWN SIZE_INVALID UNAUTHORIZED DENIED UNSUPPORTED TOOMANYREQUESTS`.split(/\s+/),
);

/** What a case works with: a repository of its own. */
class Bench {
  readonly origin: string;
  readonly name = `conformance/${randomBytes(6).toString("hex")}`;

  constructor(origin: string) {
    this.origin = origin;
  }

  get v2(): string {
    return `${this.origin}/v2`;
  }

  call(path: string, method = "GET", init: RequestInit = {}): Promise<Response> {
    const headers = new Headers(init.headers);
    if (!headers.has("accept")) headers.set("accept", [MANIFEST, INDEX, DOCKER_MANIFEST].join(", "));
    if (method === "PATCH") headers.set("content-type", "application/octet-stream");
    const url = new URL(/^(\/|http)/.test(path) ? path : `/v2/${this.name}/${path}`, this.origin);
    return fetch(url, { method, ...init, headers });
  }

  blob(bytes: Uint8Array | string, name = this.name): Promise<string> {
    return pushBlob(this.v2, name, bytes);
  }

  /** Begins an upload. @returns the address to go on at */
  async upload(): Promise<URL> {
    const begun = await this.call("blobs/uploads/", "POST", { headers: { "content-length": "0" } });
    assert.equal(begun.status, 202);
    return this.location(begun);
  }

  location(response: Response): URL {
    return new URL(response.headers.get("location") ?? assert.fail("no location"), this.origin);
  }

  put(reference: string, body: string, type = MANIFEST): Promise<Response> {
    return this.call(`manifests/${reference}`, "PUT", { body, headers: { "content-type": type } });
  }

  /** Pushes a manifest without layers. @returns its text */
  async manifest(reference: string | undefined, more: Readonly<Record<string, unknown>> = {}): Promise<string> {
    await this.blob("{}");
    const text = JSON.stringify({ schemaVersion: 2, mediaType: MANIFEST, config: EMPTY, layers: [EMPTY], ...more });
    const put = await this.put(reference ?? sha256(text), text);
    assert.equal(put.status, 201, await put.text());
    return text;
  }

  /** Status and first code of an answer that is an error; its form is checked. */
  async error(answer: Promise<Response>): Promise<readonly [number, string]> {
    const response = await answer;
    const body = (await response.json()) as { errors: readonly { code: string }[] };
    for (const { code } of body.errors) assert.ok(CODES.has(code), `${code} is no code of the specification`);
    return [response.status, body.errors[0]?.code ?? ""];
  }

  async referrers(digest: string, query = ""): Promise<readonly [Response, readonly Record<string, unknown>[]]> {
    const response = await this.call(`referrers/${digest}${query}`);
    assert.equal(response.status, 200);
    return [response, ((await response.json()) as { manifests: Record<string, unknown>[] }).manifests];
  }
}

type Case = (bench: Bench) => Promise<void>;

const pulling: Readonly<Record<string, Case>> = {
  "end-1 says that it is a registry": async (bench) => {
    assert.equal((await bench.call("/v2/")).status, 200);
  },
  "end-2 a blob by GET and HEAD, with its digest and its size": async (bench) => {
    const digest = await bench.blob("some bytes");
    for (const method of ["GET", "HEAD"]) {
      const answer = await bench.call(`blobs/${digest}`, method);
      const { headers, status } = answer;
      assert.deepEqual(
        [status, headers.get("docker-content-digest"), headers.get("content-length")],
        [200, digest, "10"],
      );
      assert.equal(await answer.text(), method === "GET" ? "some bytes" : "");
    }
  },
  "end-2 a blob in part": async (bench) => {
    const digest = await bench.blob("0123456789");
    const part = await bench.call(`blobs/${digest}`, "GET", { headers: { range: "bytes=2-4" } });
    assert.deepEqual([part.status, part.headers.get("content-range"), await part.text()], [206, "bytes 2-4/10", "234"]);
    assert.equal((await bench.call(`blobs/${digest}`, "GET", { headers: { range: "bytes=20-" } })).status, 416);
  },
  "end-2 a blob that is not there, or only in another repository": async (bench) => {
    const elsewhere = await bench.blob("elsewhere", `${bench.name}/other`);
    await bench.blob("{}");
    assert.deepEqual(await bench.error(bench.call(`blobs/${sha256("nothing")}`)), [404, "BLOB_UNKNOWN"]);
    assert.equal((await bench.call(`blobs/${sha256("nothing")}`, "HEAD")).status, 404);
    assert.deepEqual(await bench.error(bench.call(`blobs/${elsewhere}`)), [404, "BLOB_UNKNOWN"]);
  },
  "end-3 a manifest by tag and digest, with its digest, size and type": async (bench) => {
    const text = await bench.manifest("v1");
    for (const method of ["GET", "HEAD"]) {
      for (const reference of ["v1", sha256(text)]) {
        const answer = await bench.call(`manifests/${reference}`, method);
        assert.deepEqual(
          ["content-type", "docker-content-digest", "content-length"].map((name) => answer.headers.get(name)),
          [MANIFEST, sha256(text), String(text.length)],
        );
        assert.equal(answer.status, 200);
        assert.equal(await answer.text(), method === "GET" ? text : "");
      }
    }
  },
  "end-3 a manifest that is not there": async (bench) => {
    await bench.manifest("v1");
    assert.deepEqual(await bench.error(bench.call("manifests/none")), [404, "MANIFEST_UNKNOWN"]);
    assert.deepEqual(await bench.error(bench.call(`manifests/${sha256("x")}`)), [404, "MANIFEST_UNKNOWN"]);
    assert.equal((await bench.call("manifests/none", "HEAD")).status, 404);
  },
  "end-3 a repository that is not there": async (bench) => {
    assert.equal((await bench.error(bench.call("manifests/v1")))[0], 404);
  },
};

const pushingBlobs: Readonly<Record<string, Case>> = {
  "end-4a end-6 POST then PUT": async (bench) => {
    const location = await bench.upload();
    location.searchParams.set("digest", sha256("whole"));
    const done = await bench.call(location.href, "PUT", { body: "whole" });
    assert.equal(done.status, 201);
    assert.equal(await (await bench.call(bench.location(done).href)).text(), "whole");
  },
  "end-4a each upload has an address of its own": async (bench) => {
    assert.notEqual((await bench.upload()).href, (await bench.upload()).href);
  },
  "end-4b a single POST": async (bench) => {
    const done = await bench.call(`blobs/uploads/?digest=${sha256("single")}`, "POST", { body: "single" });
    assert.equal(done.status, 201);
    assert.equal(await (await bench.call(bench.location(done).href)).text(), "single");
  },
  "end-4c another digest algorithm": async (bench) => {
    const digest = `sha512:${createHash("sha512").update("long").digest("hex")}`;
    const begun = await bench.call("blobs/uploads/?digest-algorithm=sha512", "POST");
    assert.equal(begun.status, 202);
    const location = bench.location(begun);
    location.searchParams.set("digest", digest);
    assert.equal((await bench.call(location.href, "PUT", { body: "long" })).status, 201);
    assert.equal(await (await bench.call(`blobs/${digest}`)).text(), "long");
  },
  "end-4c a digest algorithm that is not known": async (bench) => {
    assert.equal((await bench.call("blobs/uploads/?digest-algorithm=md5", "POST")).status, 400);
  },
  "end-5 end-13 in chunks, with the status between them": async (bench) => {
    const patch = (at: URL, body: string, from: number) =>
      bench.call(at.href, "PATCH", {
        body,
        headers: { "content-range": `${from}-${from + body.length - 1}` },
      });
    const first = await patch(await bench.upload(), "first ", 0);
    assert.deepEqual([first.status, first.headers.get("range")], [202, "0-5"]);
    const status = await bench.call(bench.location(first).href);
    assert.deepEqual([status.status, status.headers.get("range")], [204, "0-5"]);
    const second = await patch(bench.location(status), "second", 6);
    assert.deepEqual([second.status, second.headers.get("range")], [202, "0-11"]);
    const end = bench.location(second);
    end.searchParams.set("digest", sha256("first second"));
    assert.equal((await bench.call(end.href, "PUT", { headers: { "content-length": "0" } })).status, 201);
  },
  "end-6 the last chunk with the PUT": async (bench) => {
    const first = await bench.call((await bench.upload()).href, "PATCH", { body: "one " });
    const end = bench.location(first);
    end.searchParams.set("digest", sha256("one two"));
    const headers = { "content-range": "4-6" };
    assert.equal((await bench.call(end.href, "PUT", { body: "two", headers })).status, 201);
  },
  "end-5 a chunk out of order": async (bench) => {
    const location = await bench.upload();
    const wrong = await bench.call(location.href, "PATCH", { body: "late", headers: { "content-range": "10-13" } });
    assert.equal(wrong.status, 416);
  },
  "end-6 the last chunk out of order": async (bench) => {
    const first = await bench.call((await bench.upload()).href, "PATCH", { body: "one " });
    const end = bench.location(first);
    end.searchParams.set("digest", sha256("one two"));
    const wrong = await bench.call(end.href, "PUT", { body: "two", headers: { "content-range": "9-11" } });
    assert.equal(wrong.status, 416);
  },
  "end-6 a digest that does not match, or is none": async (bench) => {
    for (const digest of [sha256("other"), "sha256:12", "md5:d41d8cd98f00b204e9800998ecf8427e", ""]) {
      const location = await bench.upload();
      location.searchParams.set("digest", digest);
      assert.deepEqual(await bench.error(bench.call(location.href, "PUT", { body: "this" })), [400, "DIGEST_INVALID"]);
    }
    assert.equal((await bench.call(`blobs/${sha256("this")}`)).status, 404);
  },
  "end-5 end-13 an upload that is not there": async (bench) => {
    const location = await bench.upload();
    location.searchParams.set("digest", sha256("x"));
    assert.equal((await bench.call(location.href, "PUT", { body: "x" })).status, 201);
    location.searchParams.delete("digest");
    assert.deepEqual(await bench.error(bench.call(location.href)), [404, "BLOB_UPLOAD_UNKNOWN"]);
    assert.equal((await bench.error(bench.call(location.href, "PATCH", { body: "y" })))[0], 404);
  },
  "end-14 a cancelled upload": async (bench) => {
    const location = await bench.upload();
    assert.equal((await bench.call(location.href, "DELETE")).status, 204);
    assert.equal((await bench.call(location.href)).status, 404);
  },
  "end-11 a mounted blob": async (bench) => {
    const digest = await bench.blob("mounted", `${bench.name}/from`);
    const mount = `blobs/uploads/?mount=${digest}&from=${bench.name}/from`;
    const done = await bench.call(mount, "POST");
    assert.equal(done.status, 201);
    assert.equal(await (await bench.call(bench.location(done).href)).text(), "mounted");
  },
  "end-11 a blob that cannot be mounted begins an upload": async (bench) => {
    const mount = `blobs/uploads/?mount=${sha256("no")}&from=${bench.name}/from`;
    const begun = await bench.call(mount, "POST");
    assert.equal(begun.status, 202);
    const location = bench.location(begun);
    location.searchParams.set("digest", sha256("instead"));
    assert.equal((await bench.call(location.href, "PUT", { body: "instead" })).status, 201);
  },
};

const pushingManifests: Readonly<Record<string, Case>> = {
  "end-7a answers with where it is": async (bench) => {
    const text = await bench.manifest("v1");
    const again = await bench.put("v2", text);
    assert.deepEqual([again.status, again.headers.get("docker-content-digest")], [201, sha256(text)]);
    assert.equal(await (await bench.call(bench.location(again).href)).text(), text);
  },
  "end-7a keeps the bytes as they are": async (bench) => {
    await bench.blob("{}");
    const text = `{ "layers": [], "schemaVersion":2,\n\t"mediaType":"${MANIFEST}", "config": ${JSON.stringify(EMPTY)} }\n`;
    assert.equal((await bench.put(sha256(text), text)).status, 201);
    assert.equal(await (await bench.call(`manifests/${sha256(text)}`)).text(), text);
  },
  "end-7b several tags by one request": async (bench) => {
    const text = await bench.manifest(undefined);
    const tags = Array.from({ length: 10 }, (_, index) => `t${index}`);
    const put = await bench.put(`${sha256(text)}?${tags.map((tag) => `tag=${tag}`).join("&")}`, text);
    assert.equal(put.status, 201);
    assert.deepEqual((put.headers.get("oci-tag") ?? "").split(/, ?/).sort(), tags);
    assert.equal((await bench.call("manifests/t9")).headers.get("docker-content-digest"), sha256(text));
  },
  "end-7a a digest that does not match": async (bench) => {
    const text = await bench.manifest("v1");
    assert.deepEqual(await bench.error(bench.put(sha256("x"), text)), [400, "DIGEST_INVALID"]);
  },
  "end-7a what is no manifest": async (bench) => {
    for (const text of ["", "[]", '{"schemaVersion":2', '"text"']) {
      assert.deepEqual(await bench.error(bench.put("v1", text)), [400, "MANIFEST_INVALID"], text);
    }
  },
  "end-7a blobs that are missing": async (bench) => {
    await bench.blob("{}");
    const config = { ...EMPTY, digest: sha256("missing") };
    const text = JSON.stringify({ schemaVersion: 2, mediaType: MANIFEST, config, layers: [] });
    const [status, code] = await bench.error(bench.put("v1", text));
    assert.ok(status >= 400 && status < 500);
    assert.equal(code, "MANIFEST_BLOB_UNKNOWN");
  },
  "end-7a more than four megabytes": async (bench) => {
    await bench.blob("{}");
    const annotations = { filler: "x".repeat(50 * 1024 * 1024) };
    const text = JSON.stringify({ schemaVersion: 2, mediaType: MANIFEST, config: EMPTY, layers: [], annotations });
    assert.equal((await bench.put("v1", text)).status, 413);
  },
  "end-7a just below four megabytes": async (bench) => {
    const text = await bench.manifest("v1", { annotations: { filler: "x".repeat(4 * 1024 * 1024 - 2000) } });
    assert.equal((await (await bench.call("manifests/v1")).text()).length, text.length);
  },
  "end-7a indexes, Docker's forms, and artifacts of any type": async (bench) => {
    const text = await bench.manifest(undefined, { artifactType: "application/vnd.example" });
    const child = { mediaType: MANIFEST, digest: sha256(text), size: text.length };
    const index = JSON.stringify({ schemaVersion: 2, mediaType: INDEX, manifests: [child] });
    assert.equal((await bench.put("index", index, INDEX)).status, 201);
    const nested = { mediaType: INDEX, digest: sha256(index), size: index.length };
    const outer = JSON.stringify({ schemaVersion: 2, mediaType: INDEX, manifests: [nested] });
    assert.equal((await bench.put("nested", outer, INDEX)).status, 201);
    const config = { ...EMPTY, mediaType: "application/vnd.docker.container.image.v1+json" };
    const docker = JSON.stringify({ schemaVersion: 2, mediaType: DOCKER_MANIFEST, config, layers: [] });
    assert.equal((await bench.put("docker", docker, DOCKER_MANIFEST)).status, 201);
    for (const [tag, type] of Object.entries({ index: INDEX, nested: INDEX, docker: DOCKER_MANIFEST })) {
      assert.equal(
        (await bench.call(`manifests/${tag}`, "GET", { headers: { accept: type } })).headers.get("content-type"),
        type,
      );
    }
  },
  "end-7a moves a tag": async (bench) => {
    await bench.manifest("v1");
    const text = await bench.manifest("v1", { annotations: { second: "yes" } });
    assert.equal(await (await bench.call("manifests/v1")).text(), text);
  },
  "end-7a names and tags that are none": async (bench) => {
    assert.equal((await bench.put("v1".padEnd(129, "x"), "{}")).status >= 400, true);
    for (const name of ["Upper", "a/../b", "-a", "a__b___c", "a/"]) {
      const answer = await bench.call(`/v2/${name}/tags/list`);
      assert.ok(answer.status === 400 || answer.status === 404, `${name}: ${answer.status}`);
    }
  },
};

const discovery: Readonly<Record<string, Case>> = {
  "end-8a tags in order": async (bench) => {
    const text = await bench.manifest("v5");
    for (const number of [3, 8, 1, 9, 2, 7, 4, 6]) assert.equal((await bench.put(`v${number}`, text)).status, 201);
    const list = (await (await bench.call("tags/list")).json()) as object;
    assert.deepEqual(list, { name: bench.name, tags: Array.from({ length: 9 }, (_, index) => `v${index + 1}`) });
  },
  "end-8b tags in parts": async (bench) => {
    for (const tag of ["a", "b", "c", "d"]) await bench.manifest(tag);
    const list = async (query: string) => {
      const answer = await bench.call(`tags/list?${query}`);
      return [((await answer.json()) as { tags: string[] }).tags, answer.headers.get("link")] as const;
    };
    const [first, link] = await list("n=2");
    assert.deepEqual(first, ["a", "b"]);
    const next = /^<([^>]+)>; *rel="next"$/.exec(link ?? "")?.[1] ?? assert.fail("no link");
    assert.deepEqual(((await (await bench.call(next)).json()) as { tags: string[] }).tags, ["c", "d"]);
    assert.deepEqual((await list("n=2&last=b"))[0], ["c", "d"]);
    assert.deepEqual((await list("last=c"))[0], ["d"]);
  },
  "end-8b no tags for n=0, and no link": async (bench) => {
    await bench.manifest("a");
    const none = await bench.call("tags/list?n=0");
    assert.deepEqual([none.status, none.headers.get("link")], [200, null]);
    assert.deepEqual(((await none.json()) as { tags: string[] }).tags, []);
  },
  "end-8a tags of a repository that is not there": async (bench) => {
    assert.deepEqual(await bench.error(bench.call("tags/list")), [404, "NAME_UNKNOWN"]);
  },
  "end-12a referrers with type and annotations, before and after their subject": async (bench) => {
    await bench.blob("{}");
    const subject = JSON.stringify({ schemaVersion: 2, mediaType: MANIFEST, config: EMPTY, layers: [] });
    const about = { mediaType: MANIFEST, digest: sha256(subject), size: subject.length };
    const annotations = { "org.example": "yes" };
    const early = await bench.manifest(undefined, { subject: about, artifactType: "application/vnd.a", annotations });
    assert.equal((await bench.put(sha256(subject), subject)).status, 201);
    const late = await bench.manifest(undefined, { subject: about });
    const [response, found] = await bench.referrers(sha256(subject));
    assert.equal(response.headers.get("content-type"), INDEX);
    const byDigest = new Map(found.map((each) => [each["digest"], each]));
    assert.deepEqual(byDigest.get(sha256(early)), {
      mediaType: MANIFEST,
      digest: sha256(early),
      size: early.length,
      artifactType: "application/vnd.a",
      annotations,
    });
    assert.equal(byDigest.get(sha256(late))?.["artifactType"], EMPTY.mediaType);
  },
  "end-7a end-12a a push with a subject is told so": async (bench) => {
    const text = await bench.manifest(undefined, { subject: { ...EMPTY, mediaType: MANIFEST } });
    const again = await bench.put(sha256(text), text);
    assert.equal(again.headers.get("oci-subject"), EMPTY.digest);
  },
  "end-12b referrers of one type": async (bench) => {
    const subject = { ...EMPTY, mediaType: MANIFEST };
    for (const type of ["a", "b"])
      await bench.manifest(undefined, { subject, artifactType: `application/vnd.${type}` });
    const [response, found] = await bench.referrers(EMPTY.digest, "?artifactType=application/vnd.b");
    assert.equal(response.headers.get("oci-filters-applied"), "artifactType");
    assert.deepEqual(
      found.map((each) => each["artifactType"]),
      ["application/vnd.b"],
    );
  },
  "end-12a no referrers": async (bench) => {
    await bench.manifest("v1");
    assert.deepEqual((await bench.referrers(sha256("nothing")))[1], []);
    assert.equal((await bench.call("referrers/sha256:12")).status, 400);
  },
};

const management: Readonly<Record<string, Case>> = {
  "end-9 deletes a tag alone": async (bench) => {
    const text = await bench.manifest("one");
    await bench.manifest("two");
    assert.equal((await bench.call("manifests/one", "DELETE")).status, 202);
    assert.equal((await bench.call("manifests/one")).status, 404);
    assert.equal((await bench.call(`manifests/${sha256(text)}`)).status, 200);
    assert.equal((await bench.call("manifests/two")).status, 200);
  },
  "end-9 deletes a manifest with its tags": async (bench) => {
    const text = await bench.manifest("one");
    assert.equal((await bench.call(`manifests/${sha256(text)}`, "DELETE")).status, 202);
    for (const reference of ["one", sha256(text)]) {
      assert.equal((await bench.call(`manifests/${reference}`)).status, 404);
    }
    assert.equal((await bench.call(`manifests/${sha256(text)}`, "DELETE")).status, 404);
  },
  "end-9 a deleted referrer is no longer told of": async (bench) => {
    const text = await bench.manifest(undefined, { subject: { ...EMPTY, mediaType: MANIFEST } });
    assert.equal((await bench.call(`manifests/${sha256(text)}`, "DELETE")).status, 202);
    assert.deepEqual((await bench.referrers(EMPTY.digest))[1], []);
  },
  "end-10 deletes a blob": async (bench) => {
    const digest = await bench.blob("to be deleted");
    assert.equal((await bench.call(`blobs/${digest}`, "DELETE")).status, 202);
    assert.equal((await bench.call(`blobs/${digest}`)).status, 404);
    assert.deepEqual(await bench.error(bench.call(`blobs/${digest}`, "DELETE")), [404, "BLOB_UNKNOWN"]);
  },
};

/**
 * The OCI distribution specification 1.1, endpoint by endpoint ("Endpoints", end-1 to end-14), as it is seen by a client
 * that knows nothing of the registry.
 */
export function conformanceSuite({ name, start, differences = {} }: ConformanceOptions): void {
  const cases = { ...pulling, ...pushingBlobs, ...pushingManifests, ...discovery, ...management };
  for (const known of Object.keys(differences)) assert.ok(known in cases, `${known} is no case`);
  describe(`the distribution specification, by ${name}`, { concurrency: 8 }, () => {
    let registry: ConformingRegistry;
    before(async () => {
      registry = await start();
    });
    after(() => registry?.[Symbol.asyncDispose]());
    for (const [title, run] of Object.entries(cases)) {
      const difference = differences[title];
      test(difference === undefined ? title : `${title} (differs: ${difference})`, async () => {
        const running = run(new Bench(registry.origin));
        if (difference === undefined) await running;
        else await assert.rejects(running, "the difference is gone");
      });
    }
  });
}
