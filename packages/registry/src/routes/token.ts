import { NotFound } from "@boxship/base";
import { type Call, json, readBody } from "../http/call.ts";

const LONGEST_FORM = 64 * 1024;
const NEVER_KEPT = { "cache-control": "no-store" };

/** `GET /token` (distribution's token authentication) */
export async function tokenGet(call: Call): Promise<void> {
  const { access, request, query } = call;
  if (access.issueToken === undefined) throw none();
  const scopes = query.getAll("scope").flatMap((scope) => scope.split(" "));
  const offline = query.get("offline_token") === "true";
  json(call, await access.issueToken(request, scopes, offline), NEVER_KEPT);
}

/** `POST /token` (the same by OAuth 2) */
export async function tokenPost(call: Call): Promise<void> {
  const { access, request } = call;
  if (access.exchangeToken === undefined) throw none();
  const form = new URLSearchParams((await readBody(request, LONGEST_FORM)).toString("utf8"));
  json(call, await access.exchangeToken(form), NEVER_KEPT);
}

function none(): NotFound {
  return new NotFound("this registry has no tokens", { subject: { kind: "path", name: "/token" } });
}
