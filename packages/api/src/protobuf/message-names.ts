import { builtinKinds } from "../kind/builtin-kinds.ts";
import { isObject } from "../object/json.ts";
import { apiVersionOf, textAt } from "../object/kube-object.ts";
import { isMessage } from "./messages.ts";

/** What answers besides built-in kinds and their lists: by apiVersion and kind. */
const OTHERS: Readonly<Record<string, string>> = {
  "authentication.k8s.io/v1 TokenRequest": "authentication.v1.TokenRequest",
  "autoscaling/v1 Scale": "autoscaling.v1.Scale",
  "meta.k8s.io/v1 PartialObjectMetadata": "meta.v1.PartialObjectMetadata",
  "meta.k8s.io/v1 PartialObjectMetadataList": "meta.v1.PartialObjectMetadataList",
  "policy/v1 Eviction": "policy.v1.Eviction",
  "v1 APIGroup": "meta.v1.APIGroup",
  "v1 APIGroupList": "meta.v1.APIGroupList",
  "v1 APIResourceList": "meta.v1.APIResourceList",
  "v1 APIVersions": "meta.v1.APIVersions",
  "v1 Status": "meta.v1.Status",
};

let known: ReadonlyMap<string, string> | undefined;

function names(): ReadonlyMap<string, string> {
  known ??= new Map([
    ...Object.entries(OTHERS),
    ...builtinKinds().flatMap((kind) => {
      const { definition = "" } = kind.schema;
      const apiVersion = apiVersionOf(kind);
      const both = [
        [`${apiVersion} ${kind.kind}`, definition],
        [`${apiVersion} ${kind.listKind}`, `${definition}List`],
      ] as const;
      return both.filter(([, message]) => isMessage(message));
    }),
  ]);
  return known;
}

/** The message that an object of the API is written as; undefined for custom kinds and for what is no object. */
export function messageFor(object: unknown): string | undefined {
  if (!isObject(object)) return undefined;
  return names().get(`${textAt(object, "apiVersion")} ${textAt(object, "kind")}`);
}
