import type { Kind } from "@boxship/api";
import type { Handler } from "../verbs/dispatch.ts";
import {
  localSubjectAccessReview,
  selfSubjectAccessReview,
  selfSubjectReview,
  selfSubjectRulesReview,
  subjectAccessReview,
} from "./access-reviews.ts";
import { createBinding } from "./create-binding.ts";
import { tokenReview } from "./token-review.ts";

const SPECIAL: Readonly<Record<string, Handler>> = {
  "/bindings": createBinding,
  "authentication.k8s.io/selfsubjectreviews": selfSubjectReview,
  "authentication.k8s.io/tokenreviews": tokenReview,
  "authorization.k8s.io/localsubjectaccessreviews": localSubjectAccessReview,
  "authorization.k8s.io/selfsubjectaccessreviews": selfSubjectAccessReview,
  "authorization.k8s.io/selfsubjectrulesreviews": selfSubjectRulesReview,
  "authorization.k8s.io/subjectaccessreviews": subjectAccessReview,
};

/** Resources that are questions or orders and are never kept. */
export function specialResource({ group, resource }: Kind): Handler | undefined {
  return SPECIAL[`${group}/${resource}`];
}
