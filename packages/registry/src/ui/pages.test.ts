import assert from "node:assert/strict";
import { test } from "node:test";
import { hashSync } from "bcryptjs";
import { htpasswdAccess } from "../access/htpasswd-access.ts";
import { listenForTest, pushImage } from "../testing/registry-under-test.ts";

test("people browse what is there, and nothing of it is taken for a page", async () => {
  await using under = await listenForTest();
  const { host, url } = under;
  const evil = `"><script>alert('1')</script>`;
  const digest = await pushImage(url, "team/app", "v1", { annotations: { [evil]: evil } });
  const subject = { mediaType: "application/vnd.oci.image.manifest.v1+json", digest, size: 1 };
  await pushImage(url, "team/app", "", { subject, artifactType: "application/vnd.example" });
  for (let number = 0; number < 3; number++) await pushImage(url, `many/${number}`, "v1");
  const page = async (path: string) => {
    const answer = await fetch(`http://${host}${path}`);
    const policy = answer.headers.get("content-security-policy") ?? "";
    assert.match(policy, /^default-src 'none'; style-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors/);
    assert.equal(answer.headers.get("x-content-type-options"), "nosniff");
    const text = await answer.text();
    assert.equal(text.includes("<script"), false);
    return text;
  };
  assert.equal((await fetch(`http://${host}/`)).url, `http://${host}/ui/`);
  assert.match(await page("/ui/"), /href="\/ui\/repository\?name=team%2Fapp">team\/app</);
  assert.doesNotMatch(await page(`/ui/?q=${encodeURIComponent(evil)}`), /team\/app/);
  assert.match(await page("/ui/?q=TEAM"), /team\/app/);
  assert.match(await page("/ui/repository?name=team/app"), new RegExp(`reference=v1">v1</a></td><td><code>${digest}`));
  const manifest = await page("/ui/manifest?name=team/app&reference=v1");
  assert.match(manifest, /&lt;script&gt;alert\(&#39;1&#39;\)/);
  assert.match(manifest, /Referrers<\/h2>.*vnd\.example/s);
  assert.equal((await fetch(`http://${host}/ui/repository?name=${encodeURIComponent(evil)}`)).status, 400);
  assert.equal((await fetch(`http://${host}/ui/repository?name=none`)).status, 404);
  assert.match((await fetch(`http://${host}/ui/style.css`)).headers.get("content-type") ?? "", /text\/css/);
});

test("lists, searches and pages show what one may pull, and no more", async () => {
  const access = htpasswdAccess({
    htpasswd: `ann:${hashSync("one", 4)}\nbob:${hashSync("two", 4)}\n`,
    rules: [
      { users: ["ann"], actions: ["pull", "push"] },
      { users: ["bob"], repositories: ["public/*"], actions: ["pull"] },
    ],
  });
  await using under = await listenForTest({ access });
  const as = (user: string, password: string) => ({
    headers: { authorization: `Basic ${Buffer.from(`${user}:${password}`).toString("base64")}` },
  });
  const [ann, bob] = [as("ann", "one"), as("bob", "two")];
  for (const name of ["public/a", "public/b", "secret/a", "team/a"]) {
    const put = await fetch(`${under.url}/${name}/manifests/v1`, {
      method: "PUT",
      body: '{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[]}',
      ...ann,
    });
    assert.equal(put.status, 201);
  }
  const get = async (path: string, who: RequestInit) => (await fetch(`http://${under.host}${path}`, who)).json();
  assert.deepEqual(await get("/v2/_catalog", bob), { repositories: ["public/a", "public/b"] });
  const parts = await fetch(`${under.url}/_catalog?n=1`, bob);
  assert.equal(parts.headers.get("link"), '</v2/_catalog?n=1&last=public%2Fa>; rel="next"');
  assert.deepEqual(await get("/v2/_catalog?n=2&last=public/b", ann), { repositories: ["secret/a", "team/a"] });
  assert.deepEqual(await get("/v2/_catalog?n=2&last=public/a", bob), { repositories: ["public/b"] });
  const found = (await get("/v1/search?q=A", bob)) as { num_results: number; results: { name: string }[] };
  assert.deepEqual([found.num_results, found.results[0]?.name], [1, "public/a"]);
  const [page, foreign] = [`http://${under.host}/ui/`, `http://${under.host}/ui/repository?name=secret/a`];
  assert.doesNotMatch(await (await fetch(page, bob)).text(), /secret/);
  assert.equal((await fetch(foreign, bob)).status, 404);
  const shown = await fetch(foreign, { headers: { ...bob.headers, accept: "text/html,*/*" } });
  assert.deepEqual([shown.status, shown.headers.get("content-type")], [404, "text/html; charset=utf-8"]);
  assert.match(await shown.text(), /<h1>Not Found<\/h1>\n<p>repository secret\/a is not known to this registry<\/p>/);
  const nobody = await fetch(page);
  assert.deepEqual(
    [nobody.status, nobody.headers.get("www-authenticate")],
    [401, 'Basic realm="registry", charset="UTF-8"'],
  );
});
