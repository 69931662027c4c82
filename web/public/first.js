// Runs before the first paint, so that neither theme nor language flickers.
;(function () {
  var root = document.documentElement
  try {
    var theme = localStorage.getItem('theme')
    if (theme === 'light' || theme === 'dark') root.dataset.theme = theme
    if (root.dataset.language === 'settled') return // by the city, which wrote the words
    var cookie = document.cookie.match(/(?:^|; )lang=([a-z-]+)/i)
    var asked = new URLSearchParams(location.search).get('lang')
    root.lang = asked || (cookie && cookie[1]) || localStorage.getItem('lang') || root.lang
  } catch {
    // Storage is switched off: the page's own defaults hold.
  }
})()
