import { NotFound } from "@boxship/base";
import { type Call, json } from "../http/call.ts";

/** `GET /token` (distribution's token authentication) */
export async function tokenGet(call: Call): Promise<void> {
  const { access, request, query } = call;
  if (access.issueToken === undefined) {
    throw new NotFound("this registry has no tokens", { subject: { kind: "path", name: "/token" } });
  }
  const scopes = query.getAll("scope").flatMap((scope) => scope.split(" "));
  json(call, await access.issueToken(request, scopes), { "cache-control": "no-store" });
}
