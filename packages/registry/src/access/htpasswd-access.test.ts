import assert from "node:assert/strict";
import type { IncomingMessage } from "node:http";
import { test } from "node:test";
import { FakeClock, InvalidArgument, PermissionDenied } from "@boxship/base";
import { hashSync } from "bcryptjs";
import type { Access, Action } from "./contract.ts";
import { htpasswdAccess } from "./htpasswd-access.ts";
import type { Rule } from "./rules.ts";

const htpasswd = `# users\nann:${hashSync("one", 4)}\nbob:${hashSync("a:b", 4).replace("$2b$", "$2y$")}\n\n`;
const request = (user?: string, password = "") => {
  const authorization = `Basic ${Buffer.from(`${user}:${password}`).toString("base64")}`;
  return { headers: user === undefined ? {} : { authorization } } as IncomingMessage;
};

test("users with their passwords come in, others are asked for some", async () => {
  const access = htpasswdAccess({ htpasswd });
  const tries: readonly (readonly [IncomingMessage, boolean])[] = [
    [request("ann", "one"), true],
    [request("ann", "one"), true],
    [request("bob", "a:b"), true],
    [request("ann", "two"), false],
    [request("eve", "one"), false],
    [request("", ""), false],
    [request(), false],
    [{ headers: { authorization: "Bearer x" } } as IncomingMessage, false],
    [{ headers: { authorization: "Basic !" } } as IncomingMessage, false],
  ];
  for (const [each, allowed] of tries) {
    const checked = access.check(each, "push", "some/repository");
    if (allowed) await checked;
    else
      await assert.rejects(checked, (error: unknown) => {
        return error instanceof PermissionDenied && error.subject?.kind === "credentials";
      });
  }
});

test("rules say who may do what where", async () => {
  const access = htpasswdAccess({
    htpasswd,
    groups: { developers: ["bob"] },
    rules: [
      { users: ["ann"], actions: ["pull", "push", "delete"] },
      { groups: ["developers"], repositories: ["team/*"], actions: ["pull", "push"] },
      { users: ["anonymous"], repositories: ["public/**"], actions: ["pull"] },
    ],
  });
  const allowed = async (each: IncomingMessage, action: Action, repository: string) =>
    access.check(each, action, repository).then(
      () => true,
      (error: PermissionDenied) => error.subject?.kind,
    );
  const [ann, bob, nobody] = [request("ann", "one"), request("bob", "a:b"), request()];
  assert.equal(await allowed(ann, "delete", "anything/at/all"), true);
  assert.equal(await allowed(bob, "push", "team/app"), true);
  assert.equal(await allowed(bob, "push", "team/app/part"), "repository");
  assert.equal(await allowed(bob, "delete", "team/app"), "repository");
  assert.equal(await allowed(bob, "pull", "public/a"), true, "what nobody needs a name for, everybody may do");
  assert.equal(await allowed(bob, "push", "public/a"), "repository");
  assert.equal(await allowed(nobody, "pull", "public/a/b"), true);
  assert.equal(await allowed(nobody, "push", "public/a/b"), "credentials");
  assert.equal(await allowed(nobody, "pull", "publicity"), "credentials");
  assert.equal(await allowed(nobody, "pull", ""), "credentials");
  assert.equal(await allowed(bob, "pull", ""), true);
});

test("a token carries what its owner may do of what was asked, for a while, and nothing else", async () => {
  const clock = new FakeClock(1_000_000_000_000);
  const rules: Rule[] = [
    { users: ["ann"], repositories: ["team/*"], actions: ["pull", "push"] },
    { users: ["anonymous"], repositories: ["public/*"], actions: ["pull"] },
  ];
  const access = htpasswdAccess({ htpasswd, rules, clock });
  const issue = async (from: IncomingMessage, ...scopes: string[]) => {
    const { token } = (await access.issueToken?.(from, scopes, false)) ?? assert.fail();
    return { headers: { authorization: `Bearer ${token}` } } as IncomingMessage;
  };
  const may = (bearer: IncomingMessage, action: Action, repository: string, by: Access = access) =>
    by.check(bearer, action, repository).then(
      () => true,
      () => false,
    );
  const anns = await issue(request("ann", "one"), "repository:team/app:pull,push,delete", "registry:catalog:*", "x");
  assert.equal(await may(anns, "push", "team/app"), true);
  assert.equal(await may(anns, "delete", "team/app"), false);
  assert.equal(await may(anns, "pull", "team/other"), false);
  assert.equal(await may(anns, "pull", ""), true);
  const nobodys = await issue(request(), "repository:public/a:pull,push", "repository:team/app:*");
  assert.equal(await may(nobodys, "pull", "public/a"), true);
  assert.equal(await may(nobodys, "push", "public/a"), false);
  assert.equal(await may(nobodys, "pull", "team/app"), false);
  await assert.rejects(issue(request("ann", "wrong")), PermissionDenied);

  const other = htpasswdAccess({ htpasswd, rules, clock });
  assert.equal(await may(anns, "push", "team/app", other), false, "another registry's token");
  const [header = "", , signature = ""] = (anns.headers.authorization ?? "").split(".");
  const claims = { sub: "ann", aud: "boxship", exp: 9e9, grants: [{ repository: "secret", actions: ["pull"] }] };
  const forged = `${header}.${Buffer.from(JSON.stringify(claims)).toString("base64url")}.${signature}`;
  const unsigned = `Bearer ${Buffer.from('{"alg":"none"}').toString("base64url")}.${forged.split(".")[1]}.`;
  for (const authorization of [forged, unsigned, "Bearer x"]) {
    assert.equal(await may({ headers: { authorization } } as IncomingMessage, "pull", "secret"), false);
  }
  await clock.advance(301_000);
  assert.equal(await may(anns, "push", "team/app"), false, "too old");
});

test("files and patterns that are none are refused", () => {
  for (const text of ["ann", "ann:plain", `:${hashSync("x", 4)}`, "ann:{SHA}x", `anonymous:${hashSync("x", 4)}`]) {
    assert.throws(() => htpasswdAccess({ htpasswd: text }), InvalidArgument, text);
  }
  assert.throws(() => {
    return htpasswdAccess({ htpasswd, rules: [{ repositories: ["(a+)+"], actions: ["pull"] }] });
  }, InvalidArgument);
});
