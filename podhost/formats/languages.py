"""Which language codes directories accept; it does not know how languages are called.

Source: ISO 639-1 (all 184 codes) and, for living or liturgical languages that have no code of two
letters, ISO 639-2 and 639-3. Apple refuses a feed whose language is not an ISO 639 code.
"""

import re

_TWO_LETTERS = """
    aa ab ae af ak am an ar as av ay az ba be bg bi bm bn bo br bs ca ce ch co cr cs cu cv cy da
    de dv dz ee el en eo es et eu fa ff fi fj fo fr fy ga gd gl gn gu gv ha he hi ho hr ht hu hy
    hz ia id ie ig ii ik io is it iu ja jv ka kg ki kj kk kl km kn ko kr ks ku kv kw ky la lb lg
    li ln lo lt lu lv mg mh mi mk ml mn mr ms mt my na nb nd ne ng nl nn no nr nv ny oc oj om or
    os pa pi pl ps pt qu rm rn ro ru rw sa sc sd se sg sh si sk sl sm sn so sq sr ss st su sv sw
    ta te tg th ti tk tl tn to tr ts tt tw ty ug uk ur uz ve vi vo wa wo xh yi yo za zh zu
"""

_THREE_LETTERS = """
    ace ach ada ady ain akk ale alt ang anp arn arp arw asa ast awa bal ban bas bej bem bho bik
    bin bla bra brx bua bug byn cad car cch ceb cgg chk chm chn cho chp chr chy ckb cmn cop crh
    csb dak dar del den dgr din dje doi dsb dua dyu dzg efi egy eka ewo ext fan fat fil fon frp
    frr frs fur gaa gan gay gba gez gil glk gon gor got grb gsw guz gwi hai hak haw hil hmn hsb
    hsn hup iba ibb ilo inh jbo jmc jpr jrb kaa kab kac kaj kam kaw kbd kcg kde kea kfo kgp kha
    khq kln kmb kmr kok kos kpe kqu krc kri krl kru ksb ksf ksh kum kut lad lag lah lam lez lij
    lkt lmo lol loz lrc ltg lua luo lus luy lzh mad mag mai mak man mas mdf mer mfe mgh mic min
    mnc mni moh mos mus mwl mwr mye mxp myv mzn nan nap naq nds new nia niu nmg nnh nog nov nqo
    nso nus nwc nym nyn nyo nzi osa ota pag pam pap pau pcm pdc pfl pih pms pnb pnt prg quc raj
    rap rar rgn rhg rof rom rue rup rwk sad sah sam saq sas sat saz sba sbp scn sco sdc seh sel
    ses sgs shi shn shp sid sli sma smj smn sms snk srn srr stq suk sus swg syr szl tcy tem teo
    ter tet tig tiv tlh tli tly tmh tok tpi tru trv tsi tum tvl twq tyv tzm udm umb vai vec vep
    vls vmf vmw vot vro vun wae wal war was wbp wuu xal xmf xog yao yap yav ybb yrl yue zap zea
    zgh zun zza
"""

_LANGUAGES = frozenset(f"{_TWO_LETTERS} {_THREE_LETTERS}".split())
_SHAPE = re.compile(r"([a-z]{2,3})(?:-[a-z]{4})?(?:-(?:[a-z]{2}|[0-9]{3}))?", re.ASCII)


def is_language_code(code: str) -> bool:
    """Say whether `code` is an ISO 639 language, with a script and a region if wanted.

    Case does not matter: "en", "en-US", "pt-br", "zh-Hant-TW", "es-419", "haw".
    """
    match = _SHAPE.fullmatch(code.lower())
    return match is not None and match[1] in _LANGUAGES


# Of those that directories accept: who writes from right to left, unless a script is named.
_RIGHT_TO_LEFT = "ar arc ckb dv fa he ks lrc mzn nqo pnb prs ps rhg sd syr ug ur yi"
_RIGHT_TO_LEFT_SCRIPTS = "adlm arab hebr nkoo rohg samr syrc thaa"


def is_right_to_left(language: str) -> bool:
    """Whether a language is written from right to left."""
    code, *rest = language.lower().split("-")
    scripts = [part for part in rest if len(part) == 4]
    if scripts:
        return scripts[0] in _RIGHT_TO_LEFT_SCRIPTS.split()
    return code in _RIGHT_TO_LEFT.split()
