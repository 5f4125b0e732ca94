import { type KubeObject, textAt } from "../object/kube-object.ts";
import { type FieldError, invalid, required } from "../status/field-error.ts";

const ANNOTATION = "api-approved.kubernetes.io";
const FIELD = `metadata.annotations[${ANNOTATION}]`;
const SEE = "see https://github.com/kubernetes/enhancements/pull/1111";

type Approval = "missing" | "bypassed" | "approved" | "invalid";

function approvalOf(text: string): Approval {
  if (text === "") return "missing";
  if (text.startsWith("unapproved")) return "bypassed";
  return /^[A-Za-z][-+.A-Za-z0-9]*:\/\/[^/?#\s]+/.test(text) ? "approved" : "invalid";
}

/** Groups of the community are kept for what it has approved; a definition stays what it was. */
export function approvalErrors(crd: KubeObject, old: KubeObject | undefined): readonly FieldError[] {
  if (!/^(?:.*\.)?(?:k8s|kubernetes)\.io$/s.test(textAt(crd, "spec", "group"))) return [];
  const text = textAt(crd, "metadata", "annotations", ANNOTATION);
  const approval = approvalOf(text);
  if (old !== undefined && approvalOf(textAt(old, "metadata", "annotations", ANNOTATION)) === approval) return [];
  const must = `protected groups must have approval annotation "${ANNOTATION}"`;
  if (approval === "missing") return [required(FIELD, `${must}, ${SEE}`)];
  if (approval !== "invalid") return [];
  return [invalid(FIELD, text, `${must} with either a URL or a reason starting with "unapproved", ${SEE}`)];
}
