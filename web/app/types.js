/**
 * Types that several modules share.
 *
 * @typedef {import("../imagify.js").Imagify} Client
 * @typedef {import("../imagify.js").Job} Job
 * @typedef {import("../imagify.js").Image} Image
 * @typedef {import("../imagify.js").ImageRequest} ImageRequest
 * @typedef {import("../imagify.js").Model} Model
 * @typedef {import("../imagify.js").Package} Package
 * @typedef {import("../imagify.js").Payment} Payment
 * @typedef {import("../imagify.js").Entry} Entry
 * @typedef {import("../imagify.js").Balance} Balance
 *
 * @typedef {object} PendingSubmit
 * @property {string} key its Idempotency-Key
 * @property {string} email whose it is
 * @property {number} since epoch milliseconds
 * @property {ImageRequest} request
 * @property {"sending" | "unsent"} [way] how it goes; not stored
 *
 * @typedef {object} PendingPurchase
 * @property {string} key its Idempotency-Key
 * @property {string} email whose it is
 * @property {number} since epoch milliseconds
 * @property {string} package
 * @property {"vn" | "en"} locale of the pay page
 *
 * @typedef {object} Visitor what is known of somebody who is not signed in
 * @property {string} email kept for this tab
 * @property {string} password until the code is there; never stored
 * @property {import("./language.js").Key | null} note what to say at the next form
 * @property {boolean} leaving whether they sign out themselves
 *
 * @typedef {object} App what views get
 * @property {Client} client
 * @property {import("./state.js").Store} store
 * @property {import("./tabs.js").Tabs} tabs
 * @property {import("./jobs.js").Jobs} jobs
 * @property {import("./purchases.js").Purchases} purchases
 * @property {import("./draft.js").Draft} draft
 * @property {import("./gallery.js").Gallery} gallery
 * @property {Visitor} visitor
 * @property {(path: string) => void} go to a route, such as `gallery`
 * @property {(path: string) => void} goInstead the same, with no way back to here
 */
export {};
