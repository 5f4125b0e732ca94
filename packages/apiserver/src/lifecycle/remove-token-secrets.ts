import { statusOf } from "@boxship/api";
import { asBoxshipError } from "@boxship/base";
import { systemRequest } from "../bootstrap/system-request.ts";
import type { ServerContext } from "../server-context.ts";
import { objectKey } from "../storage/object-bytes.ts";
import { builtinKind, readObject } from "../storage/read-objects.ts";
import { ACCOUNT_NAME, ACCOUNT_UID, TOKEN_SECRET } from "../tokens/secret-tokens.ts";
import { commitDelete } from "../verbs/delete-object.ts";

/** Deletes a namespace's secrets of tokens whose account is not there any more; they stand for nobody. */
export async function removeTokenSecrets(context: ServerContext, namespace: string): Promise<void> {
  const kind = builtinKind(context, "", "secrets");
  const cache = await context.objects.freshCache(kind);
  const prefix = objectKey(kind, namespace);
  for (const cached of [...cache.between(prefix, `${prefix}\u{10ffff}`)]) {
    const { metadata, type } = cached.parse();
    if (type !== TOKEN_SECRET) continue;
    const account = { name: metadata.annotations?.[ACCOUNT_NAME] ?? "", namespace };
    const found = await readObject(context, "", "serviceaccounts", account);
    if (found !== undefined && found.metadata.uid === metadata.annotations?.[ACCOUNT_UID]) continue;
    const name = metadata.name ?? "";
    try {
      await commitDelete(context, systemRequest(kind, namespace, name), name, { dryRun: false, preconditions: {} });
    } catch (error) {
      if (statusOf(asBoxshipError(error))?.reason !== "NotFound") throw error;
    }
  }
}
