import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { NotFound } from "@boxship/base";
import { SyscallError } from "@boxship/kernel";
import { closedError, closedErrors, firewallError } from "./errors.ts";

describe("errors that leave the package", () => {
  it("are of the closed set, system calls by what they mean", async () => {
    const cases = [
      [95, "Unsupported"],
      [1, "PermissionDenied"],
      [28, "ResourceExhausted"],
      [17, "Conflict"],
      [5, "Internal"],
    ] as const;
    for (const [errno, code] of cases) assert.equal(closedError(new SyscallError(errno, "bind")).code, code);
    const own = new NotFound("no such network: n");
    assert.equal(closedError(own), own);
    await assert.rejects(closedErrors(Promise.reject(new TypeError("odd"))), { code: "Internal", message: "odd" });
  });

  it("a refused ruleset is not the caller's fault", () => {
    for (const errno of [2, 17, 22]) assert.equal(firewallError(new SyscallError(errno, "netlink")).code, "Internal");
    assert.equal(firewallError(new SyscallError(1, "netlink")).code, "PermissionDenied");
    assert.equal(firewallError(new NotFound("x")).code, "NotFound");
  });
});
