import { forbidden, isObject, textAt } from "@boxship/api";
import type { AdmissionPlugin } from "../contract.ts";
import type { ServerContext } from "../server-context.ts";
import { readObject } from "../storage/read-objects.ts";
import { ACCOUNT_NAME, ACCOUNT_UID, type SecretTokens, TOKEN_SECRET } from "../tokens/secret-tokens.ts";

/** Gives secrets of service accounts' tokens what they are for; upstream has a controller for it, which comes later. */
export function tokenSecrets(
  context: () => ServerContext,
  tokens: () => SecretTokens,
  authority: () => string,
): AdmissionPlugin {
  return {
    name: "TokenSecrets",
    async mutate({ kind, operation, object, namespace, dryRun }) {
      if (kind.group !== "" || kind.resource !== "secrets" || object === null) return;
      if ((operation !== "CREATE" && operation !== "UPDATE") || object["type"] !== TOKEN_SECRET) return;
      const { metadata } = object;
      if (metadata.deletionTimestamp !== undefined) return;
      const account = metadata.annotations?.[ACCOUNT_NAME] ?? "";
      // What is wrong with a secret that names none is said by its validation.
      if (account === "") return;
      const found = await readObject(context(), "", "serviceaccounts", { name: account, namespace });
      if (found === undefined) {
        throw forbidden(
          kind,
          metadata.name ?? "",
          `service account ${namespace}/${account} was not found, retry after the service account is created`,
        );
      }
      metadata.annotations = { ...metadata.annotations, [ACCOUNT_UID]: found.metadata.uid ?? "" };
      const data = isObject(object["data"] ?? null) ? { ...(object["data"] as Record<string, string>) } : {};
      const encoded = (text: string): string => Buffer.from(text).toString("base64");
      // Another name than the one that it ends up with would be refused later.
      if (textAt(data, "token") === "" && metadata.name !== undefined && !dryRun)
        data["token"] = encoded(await tokens().issue(found, metadata.name));
      object["data"] = { ...data, "ca.crt": encoded(authority()), namespace: encoded(namespace) };
    },
  };
}
