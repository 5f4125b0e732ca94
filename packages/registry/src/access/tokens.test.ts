import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { test } from "node:test";
import { PermissionDenied, ResourceExhausted, systemClock } from "@boxship/base";
import { tempDir } from "@boxship/testkit";
import { hashSync } from "bcryptjs";
import { listenForTest } from "../testing/registry-under-test.ts";
import { htpasswdAccess } from "./htpasswd-access.ts";
import { refreshKey } from "./refresh-tokens.ts";
import type { Rule } from "./rules.ts";

const rules: readonly Rule[] = [{ users: ["ann"], repositories: ["team/*"], actions: ["pull", "push"] }];
const SCOPE = "repository:team/app:pull,push,delete";

interface Issued {
  readonly access_token: string;
  readonly refresh_token?: string;
  readonly scope?: string;
  readonly expires_in: number;
}

/** A registry whose users have these passwords. */
async function registryOf(root: string, passwords: Readonly<Record<string, string>>, clock = systemClock) {
  const htpasswd = Object.entries(passwords).map(([user, password]) => `${user}:${hashSync(password, 4)}\n`);
  const access = htpasswdAccess({ htpasswd: htpasswd.join(""), rules, key: refreshKey(root), clock });
  const under = await listenForTest({ access });
  const origin = `http://${under.host}`;
  return {
    post: (form: Readonly<Record<string, string>>) =>
      fetch(`${origin}/token`, { method: "POST", body: new URLSearchParams({ service: "boxship", ...form }) }),
    login: (user: string, password: string) =>
      fetch(`${origin}/token?service=boxship&offline_token=true&client_id=docker&account=${user}`, {
        headers: { authorization: `Basic ${Buffer.from(`${user}:${password}`).toString("base64")}` },
      }),
    status: async (token: string, path: string, method = "GET") =>
      (await fetch(`${origin}/v2/${path}`, { method, headers: { authorization: `Bearer ${token}` } })).status,
    [Symbol.asyncDispose]: () => under[Symbol.asyncDispose](),
  };
}

test("tokens by OAuth 2: for a password, and for a refresh token until the password changes", async () => {
  await using directory = tempDir("tokens");
  let refresh = "";
  {
    await using registry = await registryOf(directory.path, { ann: "one", bob: "two" });
    const { post, login, status } = registry;
    const password = { grant_type: "password", username: "ann", password: "one", scope: `${SCOPE} registry:catalog:*` };
    const issued = (await (await post(password)).json()) as Issued;
    assert.deepEqual([issued.scope, issued.refresh_token], ["repository:team/app:pull,push", undefined]);
    assert.equal(await status(issued.access_token, "team/app/blobs/uploads/", "POST"), 202);
    assert.equal(await status(issued.access_token, "team/app/manifests/v1", "DELETE"), 401, "not what may not be");
    const offline = (await (await post({ ...password, access_type: "offline" })).json()) as Issued;
    const kept = (await (await login("ann", "one")).json()) as Issued;
    for (const { refresh_token: token = "" } of [offline, kept]) {
      const again = await post({ grant_type: "refresh_token", refresh_token: token, scope: SCOPE });
      const { access_token: fresh, refresh_token: same } = (await again.json()) as Issued;
      assert.deepEqual([await status(fresh, "team/app/tags/list"), same], [404, token]);
      assert.equal(await status(token, "team/app/tags/list"), 401, "a refresh token opens nothing itself");
      refresh = token;
    }
    const wrong: readonly (readonly [Readonly<Record<string, string>>, number])[] = [
      [{ ...password, password: "two" }, 401],
      [{ grant_type: "password" }, 401],
      [{ grant_type: "refresh_token", refresh_token: issued.access_token }, 401],
      [{ grant_type: "refresh_token", refresh_token: `${refresh}x` }, 401],
      [{ grant_type: "client_credentials" }, 400],
      [{ padding: "x".repeat(70_000) }, 413],
    ];
    for (const [form, expected] of wrong) assert.equal((await post(form)).status, expected, JSON.stringify(form));
    assert.equal((await login("ann", "two")).status, 401);
  }
  const form = { grant_type: "refresh_token", refresh_token: refresh, scope: SCOPE };
  // Another process hashes the same password anew, as a changed one would be.
  await using changed = await registryOf(directory.path, { ann: "another" });
  assert.equal((await changed.post(form)).status, 401, "the password changed");
  await using gone = await registryOf(directory.path, { bob: "two" });
  assert.equal((await gone.post(form)).status, 401, "the user is gone");
  await using other = tempDir("tokens-other");
  await using stranger = await registryOf(other.path, { ann: "one" });
  assert.equal((await stranger.post(form)).status, 401, "another registry's");
});

test("a refresh token outlives a new start, and tokens the machine's clock", async () => {
  await using directory = tempDir("tokens");
  const htpasswd = `ann:${hashSync("one", 4)}\n`;
  let jump = 0;
  const clock = { ...systemClock, now: () => Date.now() + jump };
  const start = () => listenForTest({ access: htpasswdAccess({ htpasswd, key: refreshKey(directory.path), clock }) });
  const authorization = `Basic ${Buffer.from("ann:one").toString("base64")}`;
  let refresh = "";
  {
    await using first = await start();
    const answer = await fetch(`http://${first.host}/token?offline_token=true`, { headers: { authorization } });
    ({ refresh_token: refresh = "" } = (await answer.json()) as Issued);
  }
  await using second = await start();
  const body = new URLSearchParams({ grant_type: "refresh_token", refresh_token: refresh, scope: "repository:a:pull" });
  const { access_token: token } = (await (
    await fetch(`http://${second.host}/token`, { method: "POST", body })
  ).json()) as Issued;
  for (const hours of [0, 48, -48]) {
    jump = hours * 3_600_000;
    const answer = await fetch(`${second.url}/a/tags/list`, { headers: { authorization: `Bearer ${token}` } });
    assert.equal(answer.status, 404, `the clock jumps by ${hours} hours`);
  }
});

test("a key that a crash left unwritten is made anew, and one that is whole stays", async () => {
  await using directory = tempDir("tokens");
  for (const left of ["", "x"]) {
    writeFileSync(directory.join("token-key"), left);
    await using registry = await registryOf(directory.path, { ann: "one" });
    assert.equal((await registry.login("ann", "one")).status, 200);
    const key = refreshKey(directory.path);
    assert.deepEqual([key.byteLength, refreshKey(directory.path)], [32, key]);
  }
});

test("more passwords than can be checked are put off, and those that are known are not", async () => {
  const access = htpasswdAccess({ htpasswd: `ann:${hashSync("one", 4)}\n` });
  const ask = async (password: string) => {
    const form = new URLSearchParams({ grant_type: "password", username: "ann", password });
    await access.exchangeToken?.(form);
  };
  await ask("one");
  const guesses = Array.from({ length: 150 }, (_, index) => {
    return ask(`guess ${index}`).catch((error: unknown) => error);
  });
  await ask("one");
  const problems = await Promise.all(guesses);
  assert.equal(problems.filter((problem) => problem instanceof PermissionDenied).length, 100);
  assert.equal(problems.filter((problem) => problem instanceof ResourceExhausted).length, 50);
  await assert.rejects(ask("again"), PermissionDenied);
});
