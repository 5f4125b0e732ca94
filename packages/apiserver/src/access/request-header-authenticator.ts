import { failure } from "@boxship/api";
import { FRONT_PROXY_CLIENT } from "../certificates/cluster-certificates.ts";
import type { Authenticator } from "../contract.ts";
import { AUTHENTICATED } from "./authenticate.ts";
import { extraKey } from "./extra-key.ts";

const EXTRA = "x-remote-extra-";

/** Who asks is what a front proxy says in headers, which is known by a certificate of the authority for that alone. */
export const requestHeaderAuthenticator: Authenticator = {
  authenticate({ certificate, headers }) {
    if (certificate?.isFrontProxy !== true) return undefined;
    const name = first(headers["x-remote-user"]);
    if (certificate.commonName !== FRONT_PROXY_CLIENT || name === "") throw failure("Unauthorized", "Unauthorized");
    const uid = first(headers["x-remote-uid"]);
    const extra = Object.fromEntries(
      Object.entries(headers)
        .filter(([header]) => header.startsWith(EXTRA))
        .map(([header, value]) => [extraKey(header.slice(EXTRA.length)), list(value)]),
    );
    return {
      name,
      groups: [...new Set([...list(headers["x-remote-group"]), AUTHENTICATED])],
      ...(uid === "" ? {} : { uid }),
      ...(Object.keys(extra).length === 0 ? {} : { extra }),
    };
  },
};

type Header = string | readonly string[] | undefined;

const first = (header: Header): string => (typeof header === "string" ? header : (header?.[0] ?? ""));

/** Node joins headers that come several times. */
const list = (header: Header): string[] =>
  (typeof header === "string" ? header.split(",") : [...(header ?? [])])
    .map((one) => one.trim())
    .filter((one) => one !== "");
