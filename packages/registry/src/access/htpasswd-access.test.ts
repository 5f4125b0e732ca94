import assert from "node:assert/strict";
import type { IncomingMessage } from "node:http";
import { test } from "node:test";
import { InvalidArgument, PermissionDenied } from "@boxship/base";
import { hashSync } from "bcryptjs";
import type { Action } from "./contract.ts";
import { htpasswdAccess } from "./htpasswd-access.ts";

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
  assert.equal(access.challenge("pull", ""), 'Basic realm="boxship"');
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
  assert.equal(await allowed(bob, "pull", "public/a"), "repository");
  assert.equal(await allowed(nobody, "pull", "public/a/b"), true);
  assert.equal(await allowed(nobody, "push", "public/a/b"), "credentials");
  assert.equal(await allowed(nobody, "pull", "publicity"), "credentials");
  assert.equal(await allowed(nobody, "pull", ""), true);
});

test("files and patterns that are none are refused", () => {
  for (const text of ["ann", "ann:plain", `:${hashSync("x", 4)}`, "ann:{SHA}x", `anonymous:${hashSync("x", 4)}`]) {
    assert.throws(() => htpasswdAccess({ htpasswd: text }), InvalidArgument, text);
  }
  assert.throws(() => {
    return htpasswdAccess({ htpasswd, rules: [{ repositories: ["(a+)+"], actions: ["pull"] }] });
  }, InvalidArgument);
});
