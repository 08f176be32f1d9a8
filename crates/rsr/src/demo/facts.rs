//! What the sample portfolio is about: themes with their indicators, places, organisations, people. All made up, save
//! codes and the names of places.

/// A field of work.
#[derive(Debug)]
pub(crate) struct Theme {
    pub(crate) title: &'static str,
    /// What is done, to follow "This project".
    pub(crate) purpose: &'static str,
    /// Purpose codes of the OECD DAC with their shares of the whole in percent.
    pub(crate) sectors: &'static [(&'static str, &'static str, u32)],
    pub(crate) outcome: &'static str,
    pub(crate) indicators: &'static [IndicatorFact],
}

/// How an indicator counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Counting {
    /// Things or people, period by period.
    Unit,
    /// Things or people, as a running total.
    Cumulative,
    /// A share, as a pair of numbers.
    Percentage,
    /// A story with a score.
    Story,
}

/// An indicator of a theme.
#[derive(Debug)]
pub(crate) struct IndicatorFact {
    pub(crate) title: &'static str,
    pub(crate) counting: Counting,
    /// Whether women and men are counted apart.
    pub(crate) by_gender: bool,
    /// What one project reports in a good year.
    pub(crate) a_year: u32,
}

const fn indicator(
    title: &'static str,
    counting: Counting,
    by_gender: bool,
    a_year: u32,
) -> IndicatorFact {
    IndicatorFact {
        title,
        counting,
        by_gender,
        a_year,
    }
}

/// The fields of work, one for a programme.
pub(crate) const THEMES: &[Theme] = &[
    Theme {
        title: "Water that lasts",
        purpose: "builds and hands over water points and trains the committees that run them",
        sectors: &[
            ("14031", "Basic drinking water supply", 60),
            ("14032", "Basic sanitation", 40),
        ],
        outcome: "More people use safe water all year",
        indicators: &[
            indicator(
                "People with access to safe water within 30 minutes",
                Counting::Unit,
                true,
                1400,
            ),
            indicator(
                "Water points working at the time of the visit",
                Counting::Percentage,
                false,
                48,
            ),
            indicator(
                "Water committees trained since the start",
                Counting::Cumulative,
                false,
                12,
            ),
            indicator(
                "How water committees see their future",
                Counting::Story,
                false,
                4,
            ),
        ],
    },
    Theme {
        title: "Every girl in school",
        purpose: "keeps girls in school through bursaries, safe dormitories and trained teachers",
        sectors: &[
            ("11220", "Primary education", 70),
            ("11130", "Teacher training", 30),
        ],
        outcome: "More girls finish primary school",
        indicators: &[
            indicator("Children enrolled with support", Counting::Unit, true, 620),
            indicator(
                "Pupils who pass the final examination",
                Counting::Percentage,
                false,
                180,
            ),
            indicator(
                "Teachers trained since the start",
                Counting::Cumulative,
                true,
                26,
            ),
            indicator(
                "What changed at school, as pupils tell it",
                Counting::Story,
                false,
                4,
            ),
        ],
    },
    Theme {
        title: "Soils and harvests",
        purpose: "helps small farms to keep their soil, save their seed and sell their harvest",
        sectors: &[
            ("31120", "Agricultural development", 55),
            ("31130", "Agricultural land resources", 45),
        ],
        outcome: "Farming families earn more from healthier land",
        indicators: &[
            indicator(
                "Farmers who use two or more practices that keep soil",
                Counting::Unit,
                true,
                850,
            ),
            indicator(
                "Farms that sold a surplus",
                Counting::Percentage,
                false,
                210,
            ),
            indicator(
                "Hectares under terraces or cover since the start",
                Counting::Cumulative,
                false,
                140,
            ),
            indicator("How farmers judge the season", Counting::Story, false, 3),
        ],
    },
    Theme {
        title: "Clinics within reach",
        purpose: "equips small clinics, trains midwives and pays for journeys in an emergency",
        sectors: &[
            ("12220", "Basic health care", 65),
            ("13020", "Reproductive health care", 35),
        ],
        outcome: "More mothers and children survive",
        indicators: &[
            indicator("Patients treated", Counting::Unit, true, 2300),
            indicator(
                "Births that a trained person attends",
                Counting::Percentage,
                false,
                310,
            ),
            indicator(
                "Midwives trained since the start",
                Counting::Cumulative,
                true,
                9,
            ),
            indicator(
                "What patients say about their clinic",
                Counting::Story,
                false,
                4,
            ),
        ],
    },
    Theme {
        title: "Light after dark",
        purpose: "connects villages to small solar grids that their users own",
        sectors: &[
            ("23230", "Solar energy for centralised grids", 50),
            ("23231", "Solar energy for isolated grids", 50),
        ],
        outcome: "Households and workshops use electricity they can pay for",
        indicators: &[
            indicator(
                "People in households that were connected",
                Counting::Unit,
                true,
                780,
            ),
            indicator(
                "Hours of the year with power",
                Counting::Percentage,
                false,
                8000,
            ),
            indicator(
                "Workshops connected since the start",
                Counting::Cumulative,
                false,
                17,
            ),
            indicator(
                "What households do with the light",
                Counting::Story,
                false,
                5,
            ),
        ],
    },
];

/// A country with places in it: name, latitude, longitude.
#[derive(Debug)]
pub(crate) struct Country {
    pub(crate) code: &'static str,
    pub(crate) name: &'static str,
    pub(crate) places: &'static [(&'static str, &'static str, &'static str)],
}

/// Where the programmes work.
pub(crate) const COUNTRIES: &[Country] = &[
    Country {
        code: "KE",
        name: "Kenya",
        places: &[
            ("Kitui", "-1.3670", "38.0106"),
            ("Turkana", "3.1191", "35.5973"),
            ("Kisumu", "-0.0917", "34.7680"),
            ("Makueni", "-1.8039", "37.6203"),
        ],
    },
    Country {
        code: "ET",
        name: "Ethiopia",
        places: &[
            ("Amhara", "11.5936", "37.3908"),
            ("Sidama", "6.8333", "38.4167"),
            ("Tigray", "13.4967", "39.4753"),
            ("Oromia", "8.5400", "39.2700"),
        ],
    },
    Country {
        code: "UG",
        name: "Uganda",
        places: &[
            ("Gulu", "2.7746", "32.2990"),
            ("Mbarara", "-0.6072", "30.6545"),
            ("Soroti", "1.7146", "33.6111"),
            ("Kasese", "0.1833", "30.0833"),
        ],
    },
    Country {
        code: "BD",
        name: "Bangladesh",
        places: &[
            ("Khulna", "22.8456", "89.5403"),
            ("Sylhet", "24.8949", "91.8687"),
            ("Rangpur", "25.7439", "89.2752"),
            ("Barishal", "22.7010", "90.3535"),
        ],
    },
    Country {
        code: "NP",
        name: "Nepal",
        places: &[
            ("Jumla", "29.2747", "82.1838"),
            ("Dolakha", "27.6667", "86.0333"),
            ("Bardiya", "28.3102", "81.4279"),
            ("Ilam", "26.9112", "87.9237"),
        ],
    },
    Country {
        code: "ML",
        name: "Mali",
        places: &[
            ("Mopti", "14.4843", "-4.1829"),
            ("Kayes", "14.4469", "-11.4445"),
            ("Sikasso", "11.3176", "-5.6665"),
            ("Segou", "13.4317", "-6.2157"),
        ],
    },
    Country {
        code: "GH",
        name: "Ghana",
        places: &[
            ("Tamale", "9.4075", "-0.8533"),
            ("Bolgatanga", "10.7856", "-0.8514"),
            ("Wa", "10.0601", "-2.5099"),
            ("Sunyani", "7.3349", "-2.3123"),
        ],
    },
    Country {
        code: "MZ",
        name: "Mozambique",
        places: &[
            ("Nampula", "-15.1165", "39.2666"),
            ("Sofala", "-19.8436", "34.8389"),
            ("Tete", "-16.1564", "33.5867"),
            ("Zambezia", "-17.8786", "36.8883"),
        ],
    },
];

/// What a project of each level is called, from the programme down.
pub(crate) const LEVELS: &[&str] = &[
    "programme",
    "country project",
    "regional project",
    "district component",
    "community action",
];

/// An organisation: reference, name, type of the IATI codelist.
pub(crate) type OrganisationFact = (&'static str, &'static str, &'static str);

/// Who publishes and answers for everything.
pub(crate) const REPORTER: OrganisationFact =
    ("XI-IATI-RSRDEMO", "Sample Development Alliance", "21");

/// Who pays.
pub(crate) const FUNDERS: &[OrganisationFact] = &[
    (
        "XI-IATI-RSRDEMO-F1",
        "Sample Ministry for Cooperation",
        "10",
    ),
    (
        "XI-IATI-RSRDEMO-F2",
        "Sample Foundation for Fair Chances",
        "60",
    ),
    ("XI-IATI-RSRDEMO-F3", "Sample Multilateral Fund", "40"),
];

/// Who does the work on the ground.
pub(crate) const PARTNERS: &[OrganisationFact] = &[
    ("XI-IATI-RSRDEMO-P1", "Sample Rural Association", "22"),
    ("XI-IATI-RSRDEMO-P2", "Sample Women's Cooperative", "22"),
    ("XI-IATI-RSRDEMO-P3", "Sample District Office", "10"),
    ("XI-IATI-RSRDEMO-P4", "Sample Technical College", "80"),
    ("XI-IATI-RSRDEMO-P5", "Sample Engineers Ltd", "70"),
];

/// Who reports.
pub(crate) const PEOPLE: &[(&str, &str)] = &[
    ("Amina Wanjiru", "amina@demo.example"),
    ("Tesfaye Bekele", "tesfaye@demo.example"),
    ("Rahima Uddin", "rahima@demo.example"),
    ("Sita Gurung", "sita@demo.example"),
    ("Fatou Diarra", "fatou@demo.example"),
    ("João Macuácua", "joao@demo.example"),
];

/// The years that are reported on, one period each.
pub(crate) const YEARS: [u32; 3] = [2022, 2023, 2024];
