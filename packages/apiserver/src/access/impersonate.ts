import type { IncomingHttpHeaders } from "node:http";
import { badRequest } from "@boxship/api";
import type { Authorizer, User } from "../contract.ts";
import { AUTHENTICATED } from "./authenticate.ts";
import { authorize } from "./authorize.ts";
import { extraKey } from "./extra-key.ts";

const EXTRA = "impersonate-extra-";
const SERVICE_ACCOUNT = /^system:serviceaccount:(?<namespace>[^:]+):(?<name>[^:]+)$/;

/** Whether a request is made as somebody else than its caller. */
export function asksForAnother(headers: IncomingHttpHeaders): boolean {
  for (const header in headers) if (header.startsWith("impersonate-")) return true;
  return false;
}

/**
 * Whom a request is made as: its headers may name another user, where the caller may impersonate that one.
 *
 * @throws Forbidden, BadRequest for groups without a user
 */
export async function impersonate(
  authorizers: readonly Authorizer[],
  caller: User,
  headers: IncomingHttpHeaders,
): Promise<User> {
  const name = text(headers["impersonate-user"]);
  const groups = list(headers["impersonate-group"]);
  const uid = text(headers["impersonate-uid"]);
  const extras = Object.keys(headers).filter((header) => header.startsWith(EXTRA));
  if (name === "") {
    if (groups.length > 0 || uid !== "" || extras.length > 0) {
      throw badRequest("requested impersonation of groups, uid or extra without a user");
    }
    return caller;
  }
  const allow = async (
    resource: string,
    group: string,
    wanted: string,
    namespace = "",
    subresource = "",
  ): Promise<void> => {
    await authorize(authorizers, {
      user: caller,
      verb: "impersonate",
      path: "",
      resource: { group, version: "v1", resource, namespace, name: wanted, subresource },
    });
  };
  const account = SERVICE_ACCOUNT.exec(name)?.groups;
  if (account === undefined) await allow("users", "", name);
  else await allow("serviceaccounts", "", account["name"] ?? "", account["namespace"]);
  for (const group of groups) await allow("groups", "", group);
  if (uid !== "") await allow("uids", "authentication.k8s.io", uid);
  const extra: Record<string, readonly string[]> = {};
  for (const header of extras) {
    const key = extraKey(header.slice(EXTRA.length));
    extra[key] = list(headers[header]);
    for (const value of extra[key]) await allow("userextras", "authentication.k8s.io", value, "", key);
  }
  return {
    name,
    groups: groupsOf(name, groups, account?.["namespace"]),
    ...(uid === "" ? {} : { uid }),
    ...(extras.length === 0 ? {} : { extra }),
  };
}

function groupsOf(name: string, asked: readonly string[], namespace: string | undefined): readonly string[] {
  const own =
    asked.length > 0 || namespace === undefined
      ? asked
      : ["system:serviceaccounts", `system:serviceaccounts:${namespace}`];
  return [...new Set([...own, name === "system:anonymous" ? "system:unauthenticated" : AUTHENTICATED])];
}

const text = (header: string | readonly string[] | undefined): string =>
  typeof header === "string" ? header : (header?.[0] ?? "");

/** Node joins headers that come several times. */
const list = (header: string | readonly string[] | undefined): string[] =>
  (typeof header === "string" ? header.split(",") : [...(header ?? [])])
    .map((one) => one.trim())
    .filter((one) => one !== "");
