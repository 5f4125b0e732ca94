export { decryptPrivateKey, encryptPrivateKey, generateKeyPairFiles, type KeyPairFiles } from "./keys/private-key.ts";
export { readPublicKey } from "./keys/public-key.ts";
export { checkImage, type ImageToCheck } from "./policy/check-image.ts";
export type { ImageIdentity } from "./policy/identity.ts";
export { parsePolicy } from "./policy/parse-policy.ts";
export { dockerScopes, type Policy, pathScopes } from "./policy/policy.ts";
export { loadPolicy } from "./policy/policy-file.ts";
export { decodePayload, encodePayload, type SignedClaim } from "./signature/payload.ts";
export { type ImageSignature, signClaim, verifySignature } from "./signature/signature.ts";
