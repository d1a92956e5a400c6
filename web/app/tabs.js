/**
 * What tabs of this page tell each other about a person: that something has `changed`, which each
 * then looks at itself, or that they have `left`.
 *
 * @typedef {"changed" | "left"} News
 */
export class Tabs {
  #channel = new BroadcastChannel("imagify");

  /** @param {News} news @param {string} email of the person that it is about */
  tell(news, email) {
    this.#channel.postMessage({ news, email });
  }

  /** @param {News} news @param {(email: string) => void} listener called for the other tabs' news */
  on(news, listener) {
    this.#channel.addEventListener("message", ({ data }) => {
      if (data.news === news) listener(data.email);
    });
  }
}
