import { type Kind, notImplemented } from "@boxship/api";
import type { Handler } from "../verbs/dispatch.ts";
import {
  localSubjectAccessReview,
  selfSubjectAccessReview,
  selfSubjectReview,
  selfSubjectRulesReview,
  subjectAccessReview,
} from "./access-reviews.ts";
import { createBinding } from "./create-binding.ts";

const SPECIAL: Readonly<Record<string, Handler>> = {
  "/bindings": createBinding,
  "authentication.k8s.io/selfsubjectreviews": selfSubjectReview,
  "authentication.k8s.io/tokenreviews": refused("tokens are not known to this server yet"),
  "authorization.k8s.io/localsubjectaccessreviews": localSubjectAccessReview,
  "authorization.k8s.io/selfsubjectaccessreviews": selfSubjectAccessReview,
  "authorization.k8s.io/selfsubjectrulesreviews": selfSubjectRulesReview,
  "authorization.k8s.io/subjectaccessreviews": subjectAccessReview,
};

function refused(why: string): Handler {
  return async (_, { kind }) => Promise.reject(notImplemented(`${kind.resource} are not supported here: ${why}`));
}

/** Resources that are questions or orders and are never kept. */
export function specialResource({ group, resource }: Kind): Handler | undefined {
  return SPECIAL[`${group}/${resource}`];
}
