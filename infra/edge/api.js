/**
 * Runs in CloudFront, before a request goes on to the API: takes away the `/api` that brought it
 * there, and says whose it is, as API Gateway sees only CloudFront.
 */
// biome-ignore lint/correctness/noUnusedVariables: CloudFront calls it, by this name
function handler(event) {
  const request = event.request;
  request.uri = request.uri.slice("/api".length);
  request.headers["x-viewer-address"] = { value: event.viewer.ip };
  return request;
}
