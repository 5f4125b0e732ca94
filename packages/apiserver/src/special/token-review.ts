import { badRequest, type JsonObject, listAt, textAt } from "@boxship/api";
import { errorMessage } from "@boxship/base";
import { jsonReply, type Reply } from "../http/reply.ts";
import type { ResourceRequest, ServerContext } from "../server-context.ts";
import { readReview, userInfo } from "./access-reviews.ts";

/** `POST` of a TokenReview: whom a token stands for. */
export async function tokenReview(context: ServerContext, request: ResourceRequest): Promise<Reply> {
  const review = await readReview(request);
  const token = textAt(review, "spec", "token");
  if (token === "") throw badRequest("token is required for TokenReview in authentication");
  const asked = listAt(review, "spec", "audiences").map(String);
  const status = await statusOf(context, token, asked.length === 0 ? [context.tokens.issuer] : asked);
  return jsonReply({ ...review, status }, 201);
}

async function statusOf({ tokenAuthenticator }: ServerContext, token: string, audiences: readonly string[]) {
  try {
    const identified = await tokenAuthenticator.authenticateToken(token, audiences);
    if (identified === undefined) return { user: {}, error: "invalid bearer token" };
    const status: JsonObject = {
      authenticated: true,
      user: userInfo(identified.user),
      audiences: [...identified.audiences],
    };
    return status;
  } catch (error) {
    return { user: {}, error: `[invalid bearer token, ${errorMessage(error)}]` };
  }
}
