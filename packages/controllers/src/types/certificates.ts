import type { JsonObject, KubeObject } from "@boxship/api";
import type { Condition } from "./pod.ts";

/** `certificates.k8s.io/v1.CertificateSigningRequest`. */
export interface SigningRequest extends KubeObject {
  spec?: JsonObject & {
    /** PKCS #10 as PEM, in base64. */
    request: string;
    signerName: string;
    expirationSeconds?: number;
    usages?: string[];
    username?: string;
    uid?: string;
    groups?: string[];
    extra?: { [name: string]: string[] };
  };
  status?: JsonObject & { conditions?: Condition[]; certificate?: string };
}
